/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each finding code means and what to do about it.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <iommuser/finding.h>

/**
 * struct explanation - the words for one code
 * @message: one sentence; %f stands for the value found, %e for the expected one (both as 0x… hex), %F and %E for
 *	the same in decimal, %r for the record ("device[3]"), %n for the field's name, %d for the detail string, %% for %
 * @meaning: what it means, a few sentences
 * @action: what to do about it, while there is still a choice
 */
struct explanation {
	const char *message;
	const char *meaning;
	const char *action;
};

const struct explanation *explain_id(enum iommuser_finding_id id);
/**
 * explain_afterwards - what to do when the kexec has happened: the next kernel's log names the code, or the image
 * is of a host that has jumped. NULL where nothing more is to be done
 */
const char *explain_afterwards(enum iommuser_finding_id id);
/** explain_find - id of a code as people type it ("did-03" too); IOMMUSER_NR_FINDINGS when unknown */
enum iommuser_finding_id explain_find(const char *code);

#endif /* EXPLAIN_H */
