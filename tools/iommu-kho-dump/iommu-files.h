/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the data of iommufd and vfio files in LUO sessions says, and the checks
 * of area REF that hold it against the IOMMU records.
 */
#ifndef IOMMU_FILES_H
#define IOMMU_FILES_H

#include <iommuser/graph.h>

#include "luo.h"
#include "report.h"
#include "source.h"

/** struct iommu_file_hwpt - one HWPT that an iommufd file names */
struct iommu_file_hwpt {
	u64 token;
	u64 domain;
};

/**
 * struct iommu_file - the data of one iommufd or vfio file
 * @session: where the file is
 * @file: the file
 * @is_iommufd: else it is a vfio file
 * @nr_hwpts: HWPTs that it says it has (iommufd)
 * @hwpts: those that the data itself lists (iommufd, not "iommuser-v1")
 * @root: address of the root that it names ("iommuser-v1")
 * @segment: PCI segment (vfio)
 * @bdf: requester id (vfio)
 * @iommufd_token: LUO token of the iommufd; the bits of @token_mask are known
 * @device: reference to the device record (vfio, "iommuser-v1")
 */
struct iommu_file {
	const struct luo_session *session;
	const struct luo_file *file;
	bool is_iommufd;
	bool readable;
	bool own_format;
	u64 nr_hwpts;
	struct iommu_file_hwpt *hwpts;
	size_t nr_listed;
	u64 root;
	u64 segment;
	u64 bdf;
	u64 iommufd_token;
	u64 token_mask;
	u64 device;
};

/** struct iommu_file_name - an iommufd file, and what records or other files call it */
struct iommu_file_name {
	u64 name;
	const struct luo_session *session;
	const struct iommu_file *item;
};

/**
 * struct iommu_files - all of them
 * @items: in the order of LUO's files
 * @nr: how many
 * @by_data: the iommufd files by the address of their data, sorted; those of one name by place
 * @by_token: the same by token, so that of those of one name each session's are together
 * @nr_iommufds: how many
 * @domains: domain records that iommufd files list, sorted
 * @nr_domains: how many
 */
struct iommu_files {
	struct iommu_file *items;
	size_t nr;
	struct iommu_file_name *by_data;
	struct iommu_file_name *by_token;
	size_t nr_iommufds;
	u64 *domains;
	size_t nr_domains;
};

/**
 * iommu_files_read - decode the files' data
 * @files: to fill; iommu_files_free() it whatever the result
 * @luo: where the files are
 * @source: the image
 * @revision: of the IOMMU state, which decides between layouts of the same
 *	name; NULL when there is none
 * @pages: what is preserved, or NULL; data is marked visited
 * @report: REF-13, REF-14, CLOSURE-07
 *
 * Return: false when memory ran out.
 */
bool iommu_files_read(struct iommu_files *files, const struct luo_state *luo, struct source *source,
		      const struct iommuser_revision *revision, struct kho_pages *pages,
		      struct report *report);
void iommu_files_free(struct iommu_files *files);

/** iommu_file_known - is this the compatible string of an iommufd or vfio file? */
bool iommu_file_known(const char *compatible);

/** iommu_files_use_domain - does an iommufd file name this domain record? */
bool iommu_files_use_domain(const struct iommu_files *files, u64 domain);

/**
 * iommu_files_token - LUO token of the iommufd that records name
 * @files: read, or zeroed when there is no LUO
 * @source: the image; the iommufd's file data is looked at when no file has it
 * @root: of the records
 * @iommufd: as in device and hwpt records: in "iommuser-v1" the address of the
 *	file data, elsewhere the token itself
 * @token: set to the token
 *
 * Return: false when the image does not tell.
 */
bool iommu_files_token(const struct iommu_files *files, struct source *source,
		       const struct iommuser_root *root, u64 iommufd, u64 *token);

/**
 * iommu_files_check - hold the files against the records: REF-06 to REF-12
 *
 * Return: false when memory ran out; some checks were not made then.
 */
bool iommu_files_check(const struct iommu_files *files, const struct iommuser_graph *graph,
		       struct report *report);

#endif /* IOMMU_FILES_H */
