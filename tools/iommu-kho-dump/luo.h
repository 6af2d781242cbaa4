/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading LUO's state of any revision into one form: sessions, their files,
 * FLBs, and what memfd files hold. The data of other files is left alone.
 */
#ifndef LUO_H
#define LUO_H

#include <iommuser/types.h>
#include <kho/abi/luo.h>

#include "kho.h"

enum luo_revision {
	LUO_REVISION_UNKNOWN,
	LUO_REVISION_V1,
	LUO_REVISION_V2,
	LUO_REVISION_V3,
	LUO_REVISION_V4,
	LUO_REVISION_V5,
};

/** enum memfd_length - what tells how long a folio is */
enum memfd_length {
	MEMFD_LENGTH_BLOCK, /* the preserved block that it is */
	MEMFD_LENGTH_PAGE,  /* nothing: blocks are not known, one page is certain */
};

/**
 * struct memfd_extent - memory that holds a range of a memfd
 * @phys: where
 * @offset: in the file
 * @length: bytes; may reach beyond the file's end
 */
struct memfd_extent {
	u64 phys;
	u64 offset;
	u64 length;
};

/**
 * struct memfd - what a file with a memfd's compatible string holds
 * @phys: of the wire struct
 * @version: 1 or 2
 * @pos: file position
 * @size: bytes of the file
 * @seals: of version 2, else 0
 * @flags: of version 2, else 0
 * @nr_folios: records there are, those to be skipped included
 * @nr_present: records that stand for a folio
 * @folios_bytes: bytes of those folios
 * @extents: when luo_open() was to keep them: folios, merged where both
 *	memory and file offset go on; in the order of the records, which is by
 *	offset in a sound image
 * @nr_extents: how many
 * @length_from: how the lengths were found
 * @complete: every folio was read, and is in @extents when these were to be kept
 */
struct memfd {
	u64 phys;
	u32 version;
	u64 pos;
	u64 size;
	u32 seals;
	u32 flags;
	u64 nr_folios;
	u64 nr_present;
	u64 folios_bytes;
	struct memfd_extent *extents;
	size_t nr_extents;
	enum memfd_length length_from;
	bool complete;
};

/**
 * struct luo_file - one file
 * @phys: of its record
 * @compatible: as in the image, with a NUL added; not to be printed unescaped
 * @data: the handler's
 * @token: the file's
 * @is_duplicate: another file has the same data, which was decoded there
 * @memfd: when it is a memfd whose struct could be read, else NULL
 */
struct luo_file {
	u64 phys;
	char compatible[LUO_COMPATIBLE_SIZE + 1];
	u64 data;
	u64 token;
	bool is_duplicate;
	struct memfd *memfd;
};

/**
 * struct luo_session - one session
 * @phys: of its record
 * @name: as in the image, with a NUL added; not to be printed unescaped
 * @files_phys: first page of its files
 * @count: files it claims to have
 * @files: those that were read
 * @nr_files: how many
 * @complete: all were read
 */
struct luo_session {
	u64 phys;
	char name[LUO_SESSION_NAME_SIZE + 1];
	u64 files_phys;
	u64 count;
	struct luo_file *files;
	size_t nr_files;
	bool complete;
};

/**
 * struct luo_flb - one FLB
 * @phys: of its record
 * @name: as in the image, with a NUL added; not to be printed unescaped
 * @data: its owner's
 * @count: files that need it
 */
struct luo_flb {
	u64 phys;
	char name[LUO_COMPATIBLE_SIZE + 1];
	u64 data;
	u64 count;
};

/**
 * struct luo_state - LUO's state
 * @phys: of the blob
 * @size: bytes of the blob that may be read
 * @page_shift: of the source
 * @revision: by the first token of @compatible
 * @compatible: tokens separated by ';', cut; not to be printed unescaped
 * @liveupdate_num: live updates since the cold boot
 * @sessions_phys: where the sessions are, 0 when there are none
 * @flbs_phys: where the FLBs are, 0 when there are none
 * @sessions: those that were read
 * @nr_sessions: how many
 * @sessions_complete: all were read, with all their files
 * @flbs: those that were read
 * @nr_flbs: how many
 * @flbs_complete: all were read
 */
struct luo_state {
	u64 phys;
	u64 size;
	u32 page_shift;
	enum luo_revision revision;
	char compatible[64];
	u64 liveupdate_num;
	u64 sessions_phys;
	u64 flbs_phys;
	struct luo_session *sessions;
	size_t nr_sessions;
	bool sessions_complete;
	struct luo_flb *flbs;
	size_t nr_flbs;
	bool flbs_complete;
};

/**
 * luo_open - read LUO's state
 * @luo: to fill; luo_close() it whatever the result
 * @source: the image
 * @phys: of the blob; told by its content whether it is an FDT or a struct
 * @size: bytes of the blob, 0 when not known: then a page
 * @pages: what is preserved, or NULL: then that is not checked. Metadata goes
 *	into the visited plane, memfds into the mapped one
 * @keep_extents: remember where each memfd's folios are
 * @report: findings LUO-01 to 28, CLOSURE-07, or NULL
 *
 * Return: 0, with findings or without; -IOMMUSER_EUNMAPPED,
 * -IOMMUSER_ECORRUPT, -IOMMUSER_EUNKNOWN when the blob itself is missing,
 * unsound, or of an unknown revision (each with a finding); -IOMMUSER_ENOMEM.
 */
int luo_open(struct luo_state *luo, struct source *source, u64 phys, u64 size,
	     struct kho_pages *pages, bool keep_extents, struct report *report);
void luo_close(struct luo_state *luo);

/** luo_peek_number - read liveupdate_num alone; false when that isn't possible */
bool luo_peek_number(struct source *source, u64 phys, u64 size, u64 *number);

/** luo_is_iommu_flb - is this the name of an FLB that IOMMU state of a known layout is in? */
bool luo_is_iommu_flb(const char *name);

/** luo_find_flb - the first FLB of that name, or NULL */
const struct luo_flb *luo_find_flb(const struct luo_state *luo, const char *name);

#endif /* LUO_H */
