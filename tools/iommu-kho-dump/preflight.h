/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Will a kernel accept a handover? What the handover needs is held against
 * what the kernel has, one contract after the other.
 */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

#include "handover.h"
#include "kernel-file.h"

/* Names of one kind that a kernel may have; it has one or two. */
#define PREFLIGHT_MAX_NAMES 8
#define PREFLIGHT_MAX_HANDLERS 64
#define PREFLIGHT_MAX_NEEDS 24

/** enum preflight_result - of one contract, or of all */
enum preflight_result {
	PREFLIGHT_OK,
	PREFLIGHT_UNKNOWN,  /* the file of the kernel, or the image, does not tell */
	PREFLIGHT_MISMATCH, /* the kernel has others of the kind */
	PREFLIGHT_MISSING,  /* the kernel has none of the kind */
	PREFLIGHT_DAMAGED,  /* the image itself: no kernel would accept it */
};

/** struct preflight_names - names of one kind that a kernel has, each once; cut when there are too many */
struct preflight_names {
	char names[PREFLIGHT_MAX_HANDLERS][64];
	size_t nr;
	size_t max;
	bool cut;
};

/**
 * struct preflight_kernel - what a kernel knows of live updates
 * @file: the kernel
 * @kho: compatible strings of KHO
 * @luo: of LUO
 * @handlers: of file handlers and FLBs that are built in
 * @iommu: name of the FLB of its IOMMU live update, or NULL
 */
struct preflight_kernel {
	const struct kernel_file *file;
	struct preflight_names kho;
	struct preflight_names luo;
	struct preflight_names handlers;
	const char *iommu;
};

/**
 * struct preflight_contract - something that both kernels must agree on
 * @name: of the contract
 * @image: what the image has, escaped; "" when it has none
 * @kernel: what the kernel has, escaped; "" when it has none
 * @result: do they agree?
 * @essential: the handover is of no use without
 * @why: in words, why @result is not PREFLIGHT_OK; else ""
 * @consequence: what happens where they don't agree
 */
struct preflight_contract {
	const char *name;
	char image[160];
	char kernel[160];
	enum preflight_result result;
	bool essential;
	char why[200];
	const char *consequence;
};

/** struct preflight_need - what the next kernel's command line has to say */
struct preflight_need {
	char option[160];
	const char *why;
};

/**
 * struct preflight - the answer
 * @contracts: in the order of boot
 * @nr_contracts: how many
 * @needs: on the command line
 * @nr_needs: how many
 * @accepts: PREFLIGHT_OK yes, PREFLIGHT_UNKNOWN it can't be told, anything else no
 * @so_far: what is handed over in the reboot call only is not in it: if @accepts says yes, then of the rest alone
 * @reason: why not, in words, or NULL
 */
struct preflight {
	struct preflight_contract *contracts;
	size_t nr_contracts;
	size_t room;
	struct preflight_need needs[PREFLIGHT_MAX_NEEDS];
	size_t nr_needs;
	enum preflight_result accepts;
	bool so_far;
	const char *reason;
	bool no_memory;
};

/** preflight_learn - find out what a kernel knows */
void preflight_learn(struct preflight_kernel *kernel, const struct kernel_file *file);

/**
 * preflight_compare - hold a handover against a kernel
 * @preflight: to fill; preflight_free() it whatever the result
 * @handover: open, and verified
 * @beside: the same host's memory, opened, to take KHO and LUO from when @handover has none; or NULL
 * @kernel: learnt
 *
 * Return: false when memory ran out.
 */
bool preflight_compare(struct preflight *preflight, struct handover *handover,
		       const struct handover *beside, const struct preflight_kernel *kernel);
void preflight_free(struct preflight *preflight);

#endif /* PREFLIGHT_H */
