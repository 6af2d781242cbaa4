/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire layout of LUO, Linux's live update orchestrator, in all revisions.
 *
 *   luo-v1: FDT { liveupdate-number; luo-session { header }; luo-flb { header } }
 *   luo-v2: FDT { luo-abi-header -> struct luo_v2_ser }
 *   luo-v3 on: struct luo_v3_ser, its compatible string included
 *
 *                     luo-v1 to v3      luo-v4           luo-v5
 *   sessions          one flat array    KHO blocks       KHO blocks
 *   files of each     one flat array    one flat array   KHO blocks
 *   FLBs              one page          one page         one page
 */
#ifndef KHO_ABI_LUO_H
#define KHO_ABI_LUO_H

#include <iommuser/types.h>

#define LUO_V1_COMPATIBLE "luo-v1"
#define LUO_V2_COMPATIBLE "luo-v2"
#define LUO_V3_COMPATIBLE "luo-v3"
#define LUO_V4_COMPATIBLE "luo-v4"
#define LUO_V5_COMPATIBLE "luo-v5"

/* luo-v1: names in its FDT. */
#define LUO_V1_NUMBER_PROPERTY "liveupdate-number"
#define LUO_V1_SESSION_NODE "luo-session"
#define LUO_V1_SESSION_V1_COMPATIBLE "luo-session-v1"
#define LUO_V1_SESSION_V2_COMPATIBLE "luo-session-v2"
#define LUO_V1_SESSION_PROPERTY "luo-session-header"
#define LUO_V1_SESSION_EARLY_PROPERTY "luo-session-head"
#define LUO_V1_FLB_NODE "luo-flb"
#define LUO_V1_FLB_COMPATIBLE "luo-flb-v1"
#define LUO_V1_FLB_PROPERTY "luo-flb-header"
/* luo-v2: the one property of its FDT. */
#define LUO_V2_HEADER_PROPERTY "luo-abi-header"

#define LUO_SESSION_NAME_SIZE 64
#define LUO_COMPATIBLE_SIZE 48

/* Contiguous pages of the flat arrays. */
#define LUO_V1_SESSION_PAGES 16
#define LUO_V1_FILE_PAGES 2
#define LUO_FLB_PAGES 1

/**
 * struct luo_v2_ser - what the property of a luo-v2 FDT points to
 * @liveupdate_num: live updates since the cold boot
 * @sessions_pa: physical address of the sessions, 0 when there are none
 * @flbs_pa: physical address of the FLB page, 0 when there is none
 */
struct luo_v2_ser {
	u64 liveupdate_num;
	u64 sessions_pa;
	u64 flbs_pa;
};

/**
 * struct luo_v3_ser - state of luo-v3 to luo-v5
 * @compatible: the revision, NUL-padded. The field is as long as the string
 *	with its NUL, rounded up to 8 bytes: a composite string moves what
 *	follows
 * @state: the rest
 */
struct luo_v3_ser {
	char compatible[8];
	struct luo_v2_ser state;
};

/**
 * struct luo_v1_session_header_ser - start of the flat array of sessions
 * @count: sessions that follow
 */
struct luo_v1_session_header_ser {
	u64 count;
};

/**
 * struct luo_session_ser - one session
 * @name: NUL-terminated
 * @files: physical address of its files, 0 when there are none
 * @count: number of its files
 */
struct luo_session_ser {
	char name[LUO_SESSION_NAME_SIZE];
	u64 files;
	u64 count;
};

/**
 * struct luo_file_ser - one file of a session
 * @compatible: names the handler and its revision, NUL-terminated
 * @data: the handler's, usually a physical address
 * @token: what userspace calls the file
 */
struct luo_file_ser {
	char compatible[LUO_COMPATIBLE_SIZE];
	u64 data;
	u64 token;
};

/**
 * struct luo_flb_header_ser - start of the FLB page
 * @pgcnt: pages in use, LUO_FLB_PAGES
 * @count: FLBs that follow
 */
struct luo_flb_header_ser {
	u64 pgcnt;
	u64 count;
};

/**
 * struct luo_flb_ser - global state that lives as long as a file needs it
 * @name: NUL-terminated
 * @data: the owner's, usually a physical address
 * @count: preserved files that need it
 */
struct luo_flb_ser {
	char name[LUO_COMPATIBLE_SIZE];
	u64 data;
	u64 count;
};

#define LUO_V1_SESSION_CAPACITY(page_shift) \
	((((u64)LUO_V1_SESSION_PAGES << (page_shift)) - sizeof(struct luo_v1_session_header_ser)) / \
	 sizeof(struct luo_session_ser))
#define LUO_V1_FILE_CAPACITY(page_shift) \
	(((u64)LUO_V1_FILE_PAGES << (page_shift)) / sizeof(struct luo_file_ser))
#define LUO_FLB_CAPACITY(page_shift) \
	((((u64)LUO_FLB_PAGES << (page_shift)) - sizeof(struct luo_flb_header_ser)) / \
	 sizeof(struct luo_flb_ser))

#endif /* KHO_ABI_LUO_H */
