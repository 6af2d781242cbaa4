// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What each finding code means and what to do about it, in words for whoever
 * has to decide whether this host may kexec.
 */
#include <string.h>
#include <strings.h>

#include "explain.h"

/* Laid out by hand: one text a paragraph. */
/* clang-format off */
#define EXPLAIN(symbol, message_text, meaning_text, action_text) \
	[IOMMUSER_FINDING_##symbol] = { \
		.message = (message_text), \
		.meaning = (meaning_text), \
		.action = (action_text), \
	}

/* Sentences that many codes share. */
#define STOP "Do not kexec with this handover. "
#define AGAIN \
	STOP "Have the owner of each session (a virtual machine monitor) close it, which gives up " \
	"what it preserved, and preserve again. "
#define LOOK_KHO "Then look again: iommu-kho-dump verify --origin outgoing /proc/kcore. "
#define LOOK "Then look again: iommu-kho-dump verify live. "
#define REDO_KHO AGAIN LOOK_KHO
#define REDO AGAIN LOOK
#define REDO_LUO \
	"Do not kexec other hosts that run this kernel with such sessions: LUO writes its state in " \
	"the reboot call, so the host of this image has jumped already. Rehearse with the same " \
	"sessions in a virtual machine that is stopped at the jump, until verify is content. "
#define REPORT_TO(whom) \
	"If it stays, report it as a bug of " whom ", with an image that iommu-kho-dump extract made: " \
	"it holds no guest memory."
#define REPORT_KERNEL REPORT_TO("the kernel that wrote the handover")
#define REPORT_IOMMU REPORT_TO("that kernel's IOMMU live-update code")
#define REPORT_LUO REPORT_TO("that kernel's live update orchestrator (LUO)")
#define REPORT_MEMFD REPORT_TO("that kernel's memfd preservation")
#define RECAPTURE \
	"Take the image again, before the kexec (on the host: iommu-kho-dump capture -o FILE.ikho) " \
	"or at the jump. Look whether the file was cut short on its way here. Filters of " \
	"makedumpfile up to -d 31 leave out guest memory only, which is not needed."
#define PREFLIGHT "iommu-kho-dump preflight IMAGE --kernel FILE tells. "
#define IF_POST_BOOT \
	" In an image taken after the next kernel had booted this is to be expected: Linux has " \
	"freed or reused these pages by then."
#define REFUSED \
	"The next kernel checks the handover before it takes anything over, and refuses this " \
	"one: it then panics, or blocks every preserved device, as iommu_liveupdate.on_error says."
#define STRAY_DMA \
	"Devices go on with DMA during the update, so a wrong translation means silent " \
	"corruption of memory."

/* What is left to do when the kexec has happened. */
#define RESET \
	"Save the console's log, then reset the host through its firmware, which stops the devices; " \
	"a second kexec does not. "
#define HOLD "Start no live update between the same two kernels until this is explained."
#define AFTER_KHO \
	"The next kernel has panicked in early boot, or came up as if there were no handover, while " \
	"devices went on writing into memory that it takes for free. Guests are lost, and nothing " \
	"in the host's memory can be trusted. " RESET HOLD
#define AFTER_LUO \
	"If the next kernel has panicked in early boot: " RESET "Guests are lost. " \
	"If it has come up, opening /dev/liveupdate or retrieving a session or file fails. Devices " \
	"of a session that nobody can retrieve go on with DMA on their old tables: move what runs " \
	"on the host, and reset it. " HOLD
#define AFTER_IOMMU \
	"The next kernel has named this code and touched nothing. Save its log: the findings stand " \
	"above the line that says that the handover can't be used. With " \
	"iommu_liveupdate.on_error=panic (the default) it has stopped: guests are lost, and devices " \
	"go on writing through their old tables until the host is reset through its firmware " \
	"(panic=N does that after N seconds). With on_error=block it runs and the devices are " \
	"stopped: save incoming and state of " \
	"/sys/kernel/debug/iommu/liveupdate/, run iommu-kho-dump verify on incoming, retrieve the " \
	"memfds or start the guests elsewhere, and reboot when it suits. " HOLD
#define AFTER_CLOSURE \
	"The next kernel notices only with iommu_liveupdate.verify=closure, and then panics or blocks " \
	"the devices as on_error says. Without it the update seems to go well, while devices reach " \
	"memory that was given to others: treat the host's memory as damaged, move what runs on it, " \
	"and reset it. " HOLD
#define AFTER_FILES \
	"The next kernel has taken the tables over, and the device goes on with DMA on them. " \
	"Retrieving the file or restoring its HWPT answers with an error (docs/live-update.md lists " \
	"them), or leaves the device without its owner. To stop the device, retrieve the session by " \
	"its name and close it unfinished: that abandons it. Its guest is lost; others are not " \
	"concerned."
#define AFTER_VALUE \
	" For this code, look at the command lines first: intel_iommu= (on, sm_on, sm_off) has to be " \
	"the same for both kernels, and the unit has to be there and on."
#define AFTER_DID \
	" For this code, another domain may have taken the ID before the handover was read: that is a " \
	"bug of the next kernel, not of the one before."

static const struct explanation explanations[IOMMUSER_NR_FINDINGS] = {
	/* KHO: the root FDT, the memory map, the sub-trees, scratch */
	EXPLAIN(KHO_FDT_UNSOUND,
		"the KHO FDT is not a sound flattened device tree",
		"The root page of Kexec HandOver fails the full check of libfdt, so nothing in it "
		"can be relied upon. The next kernel would ignore the handover and boot as if "
		"there were none, and reuse memory that devices still write to.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_COMPATIBLE_UNKNOWN,
		"the KHO FDT is of revision \"%d\", which is not known here",
		"The compatible string of the KHO FDT is none of kho-v1 to kho-v4. Its memory map "
		"and sub-trees cannot be read without knowing the revision. A next kernel that "
		"does not know it either boots without the handover, without a message that "
		"anyone would notice, and reuses memory that devices still write to.",
		"Do not kexec unless the next kernel knows this revision: " PREFLIGHT
		"Look for a newer iommu-kho-dump to see the rest of the handover."),
	EXPLAIN(KHO_MAP_PROPERTY,
		"the KHO FDT has no usable preserved-memory-map property",
		"The property that leads to the memory map is missing or is not one 64-bit "
		"number. The next kernel cannot know which memory is preserved and would hand all "
		"of it out as free.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_MAP_ROOT,
		"the memory map's root address %f is not possible",
		"The address of the memory map is not page aligned, is beyond the physical "
		"address range, or is 0 in a revision that needs a map. The next kernel uses it "
		"unchecked in early boot: a panic, or preserved memory handed out as free.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_NODE_ADDRESS,
		"the memory map refers to a node at %f, which is not a possible address of a page",
		"Nodes, bitmaps and chunks of the memory map are page aligned and within physical "
		"memory. The next kernel trusts these addresses completely; following this one "
		"panics it in early boot or makes it read unrelated memory as part of the map.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_NODE_REPEATED,
		"the memory map reaches the node at %f twice",
		"The memory map must be a tree, or a list that ends. A node that is reached twice "
		"is a cycle or an alias: the next kernel would loop in early boot or restore the "
		"same memory twice.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_KEY_INVALID,
		"the memory map holds the key %f, which stands for no possible block",
		"Each bit of the radix tree stands for a block of memory with its order. This one "
		"decodes to no order, to an order that is too large, or to an address that is out "
		"of range. Kernels of the 7.1 series with 16 KiB pages wrote such keys until the "
		"depth of the tree was corrected; the next kernel panics in early boot.",
		STOP "With 16 KiB pages, update to a kernel that has the corrected tree depth. "
		REPORT_KERNEL),
	EXPLAIN(KHO_BLOCKS_OVERLAP,
		"two preserved blocks overlap",
		"The same memory is preserved twice, as blocks of different order. When the next "
		"kernel restores both, page reference counts and free lists are corrupted.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_CHUNK_INVALID,
		"a chunk of the memory map has impossible contents",
		"A chunk of the kho-v1 list gives more bitmaps than fit in it, an order that is "
		"too large, or a bitmap whose start does not agree with its size. The next kernel "
		"does not check this and would reserve the wrong memory, leaving preserved memory "
		"to be reused.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_NODE_UNREADABLE,
		"a page of the KHO FDT or of its memory map is not in the image",
		"The FDT, or a node, bitmap or chunk of the memory map could not be read, so part "
		"of the preserved set is unknown. Whatever depends on it is reported as not "
		"checked, never as fine." IF_POST_BOOT,
		RECAPTURE),
	EXPLAIN(KHO_SUBTREE_PROPERTY,
		"the address or the size of sub-tree \"%d\" is missing or not possible",
		"Every sub-tree of the KHO FDT gives the address of its data and, from kho-v3 on, "
		"its size. When that fails for LUO, the next kernel panics in early boot; other "
		"sub-trees are lost.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_SUBTREE_NOT_PRESERVED,
		"the data of sub-tree \"%d\" are not wholly in preserved memory",
		"The data of a sub-tree must lie in memory that KHO preserves. What is not "
		"preserved can be overwritten while the next kernel starts, which then reads it "
		"as if it were intact.",
		REDO_KHO "Report it as a bug of whoever registered that sub-tree."),
	EXPLAIN(KHO_NOT_SELF_REFERENT,
		"this KHO FDT is not in the memory map that it refers to",
		"A live FDT preserves its own page. One that does not is a stale one of an "
		"earlier kexec, a copy in some buffer, or its memory map has been reused."
		IF_POST_BOOT,
		"Do not kexec on the strength of this one: the next kernel would take its page for "
		"free memory. Run --list-roots to see all candidates, and choose another one with "
		"--kho. If this is the only one, capture before kexec or at the jump."),
	EXPLAIN(KHO_FDT_NEARLY_FULL,
		"the KHO FDT's page is nearly full: %F of %E bytes",
		"The KHO FDT has one page. When it is full, the next sub-tree that a driver adds "
		"is refused and absent after the update.",
		"This handover is complete. Report which sub-trees take up the room before more "
		"users of KHO are enabled on this host."),
	EXPLAIN(KHO_SCRATCH_OVERLAP,
		"preserved memory at %f lies in the scratch region at %e",
		"The next kernel allocates from scratch before it knows what is preserved. "
		"Preserved data or KHO's own structures in there are overwritten during boot: "
		"silent corruption.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_SCRATCH_INVALID,
		"a scratch region is empty, unaligned, or overlaps another one",
		"The scratch regions are not as a kernel lays them out. The next kernel may run "
		"out of early memory and panic, or lose part of a region.",
		"Look at iommu-kho-dump scratch IMAGE, and check the kho_scratch= parameter of the "
		"running kernel against the memory of this host. Boot with a larger one before the "
		"next update if it is short."),
	EXPLAIN(KHO_METADATA_INVALID,
		"the kexec-metadata are not valid",
		"The blob that counts kexecs and names the previous release has an unknown "
		"version, a wrong size or an unterminated string. Nothing depends on it, but the "
		"choice between several KHO FDTs uses the count.",
		"Run --list-roots: more than one candidate, or a kexec number that is not this host's, "
		"means that the wrong one may have been chosen; name the right one with --kho. "
		REPORT_KERNEL),
	EXPLAIN(KHO_BITMAP_SIZE_GUESSED,
		"the bitmaps of this kho-v1 map are taken to be one page each",
		"kho-v1 has two layouts under one name: bitmaps of 512 bytes (Linux 6.16 and "
		"early 6.17) and of one page (Linux 6.18 to 7.0). This map fits both, so the "
		"later one is assumed.",
		"Nothing to do for Linux 6.18 and later. If the host runs Linux 6.16 or 6.17 (show "
		"names the release), do not rely on checks of what is preserved in this image."),
	EXPLAIN(KHO_BLOCK_OUTSIDE_RAM,
		"a preserved block at %f goes beyond memory, which ends at %e",
		"The memory map preserves addresses that are not RAM of this machine or beyond "
		"the physical address range. The next kernel would touch memory that is not "
		"there, in early boot.",
		REDO_KHO REPORT_KERNEL),
	EXPLAIN(KHO_SUBTREE_UNREADABLE,
		"the data of sub-tree \"%d\" are not in the image",
		"The KHO FDT names this sub-tree, but its pages are missing from the image, so "
		"what it describes could not be checked." IF_POST_BOOT,
		RECAPTURE),
	EXPLAIN(KHO_MAP_TOO_LARGE,
		"the memory map is larger than this tool follows (limit %E)",
		"The walk was stopped at its bound, so a part of the preserved set is unknown. No "
		"machine preserves this much in a sound map: it is corrupt, or made so as to keep "
		"a reader busy.",
		"Look at the findings before this one for what is wrong with the map. If the "
		"machine really preserves this much, report it as a limit of iommu-kho-dump."),

	/* LUO: sessions, files, FLBs, memfds */
	EXPLAIN(LUO_COMPATIBLE_UNKNOWN,
		"LUO's state is of revision \"%d\", which is not known here",
		"The compatible string of LUO's state is none of luo-v1 to luo-v5. A next kernel "
		"that does not know it panics in early boot, even when it is started with "
		"liveupdate=off.",
		"Do not kexec unless the next kernel knows exactly this revision: " PREFLIGHT
		"Look for a newer iommu-kho-dump to see the sessions."),
	EXPLAIN(LUO_STATE_INVALID,
		"LUO's state is too short or has an impossible value",
		"The structure that leads to sessions and FLBs is cut short, or an address in it "
		"is impossible. The next kernel panics in early boot when it cannot use it.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_SESSION_NAME,
		"a session has no proper name: \"%d\"",
		"Session names end in a NUL within 64 bytes and are not empty. The next kernel "
		"would read past the name, or could not give the session back to its owner.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_SESSION_DUPLICATE,
		"two sessions are called \"%d\"",
		"Sessions are retrieved by name, so of two with one name only one can be had. The "
		"next kernel refuses the second, which fails the whole restore of sessions.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_CHAIN_CYCLE,
		"a list of blocks comes back to a block it has been through",
		"The pages of a LUO list must end. The next kernel detects the cycle; in the list "
		"of sessions that is a panic in early boot, in a list of files that session is "
		"lost.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_BLOCK_EMPTY,
		"a block of a LUO list holds no entry",
		"A block with count 0 is refused by the next kernel: \"Block contains invalid "
		"entry count: 0\", and in the list of sessions a panic in early boot. Linux 7.3 "
		"leaves such a block behind when creating a session is refused because its name "
		"is taken, just as the last block had become full.",
		"Do not kexec a host on which creating a session has answered EEXIST before this: "
		"close one session and create one more under a new name, so that the last block "
		"gets an entry, or close all sessions and create them anew. " REPORT_LUO),
	EXPLAIN(LUO_BLOCK_COUNT,
		"a block of a LUO list claims %F entries; %E fit",
		"The count is larger than the block. The next kernel refuses it; in the list of "
		"sessions that is a panic in early boot.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_BLOCK_ADDRESS,
		"a list of LUO continues at %f, which is not a possible address of a page",
		"The address of a block is unaligned or beyond the physical address range. The "
		"next kernel follows it: a panic, or unrelated memory read as sessions or files.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_TOO_MANY_BLOCKS,
		"a list of LUO has more blocks than the next kernel accepts",
		"Linux refuses lists of more than 10000 blocks. In the list of sessions that is a "
		"panic in early boot.",
		"Do not kexec hosts with that many sessions or files in one: preserve fewer. If there "
		"are not that many, it is a bug of LUO. " REPORT_LUO),
	EXPLAIN(LUO_COUNT_MISMATCH,
		"a list of LUO holds %F entries where %E are announced",
		"The count beside the list disagrees with what is in it. The next kernel compares "
		"them, refuses the list, and the session's files are lost; for sessions it is a "
		"panic in early boot." IF_POST_BOOT,
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_FILE_COMPATIBLE,
		"a file has no proper compatible string: \"%d\"",
		"The string that tells the next kernel which handler owns the file is empty, "
		"unterminated or has unprintable characters. No handler can claim the file: "
		"opening /dev/liveupdate fails with EIO and every session is out of reach.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_TOKEN_DUPLICATE,
		"two files of session \"%d\" have the token %f",
		"A file is retrieved by its token, which must be unique in its session. Only one "
		"of the two can be had; the other, and what it preserves, is lost or handed to "
		"the wrong owner.",
		REDO_LUO "LUO should have refused the second file. " REPORT_LUO),
	EXPLAIN(LUO_DATA_DUPLICATE,
		"two files share their data at %f",
		"Two files lead to the same preserved structure, so the next kernel would restore "
		"one object twice and free its memory twice.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_FLB_PAGE_COUNT,
		"LUO's table of FLBs claims %F pages",
		"The table of file-lifecycle-bound data has exactly one page in all known "
		"revisions. The next kernel refuses another number or restores memory that is not "
		"the table's.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_FLB_COUNT,
		"LUO's table of FLBs claims %F entries; %E fit",
		"The next kernel uses this count unchecked and reads beyond the page: garbage as "
		"names and addresses, or a panic.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_FLB_NAME,
		"an FLB has no proper name: \"%d\"",
		"The names in the table are compared without a bound, so one that does not end "
		"makes the next kernel read into whatever follows. Global state, such as that of "
		"all IOMMUs, is then not found.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_FLB_USERS,
		"FLB \"%d\" says %F files use it; by the sessions' files it is %E",
		"The count decides when the next kernel drops this global state. Zero or too few "
		"frees it while files still use it (use after free), too many leaks it. Only of "
		"iommuser-v1 is it known which files use it; of other FLBs, how many could.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_MEMFD_FOLIO_COUNT,
		"a memfd claims %F folios where its array holds %E",
		"The next kernel does not compare the two and reads beyond the array: unrelated "
		"memory becomes part of the file, or is freed.",
		REDO_LUO REPORT_MEMFD),
	EXPLAIN(LUO_VMALLOC_INVALID,
		"the description of a preserved array is not valid",
		"The first chunk, the order or the flags of a kho_vmalloc description are "
		"impossible. The next kernel shifts by the order unchecked and follows the "
		"address: the file is lost or memory is corrupted.",
		REDO_LUO REPORT_KERNEL),
	EXPLAIN(LUO_VMALLOC_CHUNKS,
		"the chunks of a preserved array do not add up",
		"The list of chunks repeats itself, ends early, or gives another number of pages "
		"than the description. The next kernel maps too little or loops; the file cannot "
		"be restored.",
		REDO_LUO REPORT_KERNEL),
	EXPLAIN(LUO_FOLIO_NOT_PRESERVED,
		"a folio of a memfd at %f is not preserved",
		"The file lists memory that KHO does not preserve. The next kernel fails to "
		"restore the file, and the memory may already have been overwritten.",
		REDO_LUO REPORT_MEMFD),
	EXPLAIN(LUO_FOLIO_INDEX,
		"a folio of a memfd has index %F, outside of the file or used before",
		"A folio lies beyond the end of the file, or two claim the same place in it. "
		"Guest memory would be restored in the wrong order or not at all.",
		REDO_LUO REPORT_MEMFD),
	EXPLAIN(LUO_MEMFD_FLAGS,
		"a memfd has seals or flags that are not known (%f)",
		"The next kernel refuses a memfd with seals or flags it does not know: the file "
		"cannot be retrieved.",
		"Do not kexec into a kernel that is older than the running one: update the next kernel "
		"first. " REPORT_MEMFD),
	EXPLAIN(LUO_HANDLER_UNKNOWN,
		"the contents of files of type \"%d\" are not known here",
		"No decoder for this compatible string exists in this tool, so only the entry "
		"itself was checked. The next kernel needs a handler of exactly this name: "
		"without one, opening /dev/liveupdate fails with EIO.",
		"Nothing to do if the next kernel has the handler: " PREFLIGHT
		"A handler in a module has to be loaded before /dev/liveupdate is opened for the "
		"first time."),
	EXPLAIN(LUO_FOLIO_SHARED,
		"memory at %f belongs to two preserved files",
		"One folio is listed by two files, or twice by one. The next kernel would put the "
		"same page into both: the reference counts are wrong and guests may see each "
		"other's memory.",
		REDO_LUO "Treat both files' contents as suspect: one guest may have seen the other's "
		"memory. " REPORT_MEMFD),
	EXPLAIN(LUO_UNREADABLE,
		"a part of LUO's state is not in the image",
		"A page of sessions, files, FLBs or of a file's own data is missing, so what it "
		"holds could not be checked." IF_POST_BOOT,
		RECAPTURE),
	EXPLAIN(LUO_FLB_DUPLICATE,
		"two FLBs are called \"%d\"",
		"FLBs are found by name, so the second is never restored and its memory leaks; "
		"users of it would work with the state of the first.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(LUO_TOO_LARGE,
		"LUO's state is larger than this tool follows (limit %E)",
		"The walk was stopped at its bound, so some sessions, files or folios were not "
		"checked.",
		"Look at the other findings for what is wrong with the state. If the host really "
		"preserves this much, report it as a limit of iommu-kho-dump."),
	EXPLAIN(LUO_MEMFD_GAP,
		"the folios of a memfd hold %F bytes, its size is %E",
		"Linux allocates every page of a memfd before it preserves it, so records of "
		"folios are missing. The next kernel does not compare the sum with the size: "
		"where a folio is missing the file reads as zero, guest memory is lost in silence.",
		REDO_LUO REPORT_MEMFD),

	/* CHAIN: pages of records */
	EXPLAIN(CHAIN_UNALIGNED,
		"a chain continues at %f, which is not a possible address of a page",
		"The link is not aligned to a page or is beyond the physical address range. A "
		"kernel that follows it reads unrelated memory as records of translations. "
		REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_UNREADABLE,
		"a page of records cannot be read",
		"The chain leads to a page that is not in the image, or that the kernel did not "
		"preserve. What the records in it and behind it say is unknown. A next kernel "
		"that cannot read it either cannot take over any translation.",
		"If the image was cut short or taken after boot, take it again (docs/capture.md). "
		"Otherwise do not kexec; CLOSURE-01 beside it means that the page was not preserved. "
		REPORT_IOMMU),
	EXPLAIN(CHAIN_CYCLE,
		"a chain comes back to a page it has been through",
		"A chain of records must end. A kernel without a check loops for ever in early "
		"boot; with one, it refuses the handover.",
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_SHARED_PAGE,
		"a page is used in two places of the handover",
		"One page is read as two different things (records of two kinds, the root, a "
		"hardware table), so one of them is garbage. References, addresses and domain IDs "
		"from it would be used for live DMA.",
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_TOO_LONG,
		"a chain has more than %E pages, more than any handover needs",
		"The walk was stopped at its bound. Such a chain is corrupt, or holds far more "
		"records than hardware can have.",
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_COUNT_TOO_LARGE,
		"a page claims %F records; %E fit",
		"The count is larger than the page. A kernel that trusts it reads records out of "
		"the memory behind the page.",
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_EMPTY_PAGE,
		"a page in a chain holds no record",
		"Only the single page of an otherwise empty chain may be empty, and iommuser-v1 "
		"has no empty pages at all. Somebody lost records or linked a page too early.",
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_TOTAL,
		"the root says that %n is %F; the chain gives %E",
		"Records were lost or added between root and chain. A kernel that goes by either "
		"number misses devices that are still doing DMA.",
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_KIND,
		"a page holds records of kind %F in a chain of kind %E",
		"The page belongs to another chain or was overwritten; its records would be "
		"misread. " REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_RECORD_SIZE,
		"a page has records of %F bytes where %E are expected",
		"Records are at least as long as their format says, a multiple of 8, and all the "
		"same in a chain. With a wrong size every record but the first is misread. "
		REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_SEQUENCE,
		"a page has the sequence number %F at place %E of its chain",
		"Pages are missing, repeated or out of order. " REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_GENERATION,
		"a page is of generation %f, its root of %e",
		"The page was left over from an earlier handover or belongs to another one. Its "
		"records are stale. " REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_SELF,
		"a page says that it is at %f, but it is at %e",
		"The page is a copy, or the link to it is wrong. References between records are "
		"addresses, so a copied page makes them point elsewhere. " REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_RESERVED,
		"reserved bytes in a page header are not zero",
		"Bytes that must be zero are in use: corruption, or a format this reader only "
		"believes to know. " REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_TAIL,
		"the unused end of a page is not zero",
		"Bytes after the last record, or after the root, are in use: a record that the "
		"count does not cover, or corruption. If the count is too small, a preserved "
		"device is forgotten.",
		REDO REPORT_IOMMU),
	EXPLAIN(CHAIN_PARTIAL_PAGE,
		"a page that is not the last of its chain holds %F of %E records",
		"Only the last page may be partly full. Records were lost, or the page is not "
		"where it belongs.",
		REDO REPORT_IOMMU),

	/* REC: records, each for itself */
	EXPLAIN(REC_TYPE,
		"%r has the unknown type %F",
		"The type says whose hardware tables these are. The next kernel cannot take over "
		"a unit of a type it does not know, while the devices behind it go on with DMA.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_FLAGS,
		"%r has unknown flags %f",
		"A flag is set that this revision does not define. It may mean something that the "
		"next kernel has to respect, or it is corruption.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_INDEX,
		"%r says that its index is %F",
		"A record repeats its position in the chain, and this one does not. Records were "
		"moved, lost or overwritten.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_REF_COUNT_ZERO,
		"%r is live, but its reference count is 0",
		"A live record has at least one reference. With a count of 0 the next kernel may "
		"free what the record stands for while devices still use it.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_DUPLICATE_TOKEN,
		"%r has the token %f, as another iommu has",
		"The token (the register base) identifies the unit. With two records for one unit "
		"the next kernel would take over one of them at random, or restore it twice.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_DUPLICATE_BDF,
		"%r is for a device that another record is for",
		"One device has two live records. The next kernel takes the first that it finds, "
		"which may be a stale one: the device then comes up on the wrong domain and its "
		"DMA hits memory that belongs to somebody else. In the iommu-v1 series a device "
		"that is unpreserved and preserved again leaves such a pair.",
		AGAIN "All sessions have to be closed for the stale records to go. " LOOK REPORT_IOMMU),
	EXPLAIN(REC_IOMMU_REFERENCE,
		"%r refers to an iommu at %f, where no live iommu record begins",
		"A reference must point exactly at a live record. The next kernel would read "
		"other bytes as a unit's state: a panic, or a device on the wrong unit.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_DOMAIN_REFERENCE,
		"%r refers to a domain at %f, where no live domain record begins",
		"A reference must point exactly at a live record. The next kernel would read "
		"other bytes as a domain and let the device use whatever page table they name: a "
		"panic or silent corruption.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_DEVICE_REFERENCE,
		"%r refers to a device at %f, where no live device record begins",
		"A reference must point exactly at a live record. The next kernel cannot tell to "
		"which device this belongs.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_DELETED_REFERENCE,
		"%r refers to %f, a record that was deleted",
		"What a deleted record describes may have been freed and reused. A device that is "
		"restored through it does DMA through a page table that no longer exists.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_RESERVED,
		"%r has reserved bytes that are not zero",
		"Bytes that must be zero are in use: corruption, or fields that this reader "
		"doesn't know. " REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(REC_RUNTIME_POINTER,
		"%r carries a kernel pointer: %f in %n",
		"The field is for the next kernel's own use and has no meaning in a handover; "
		"left over, it tells an attacker where kernel memory is, and a kernel that does "
		"not overwrite it first follows a stale pointer.",
		"Go on if the next kernel ignores the field on arrival, as those of the posted series "
		"do. Keep the image from people who must not know kernel addresses. " REPORT_IOMMU),
	EXPLAIN(REC_RUNTIME_FLAG,
		"%r has %n set before anything was restored",
		"The field says that the record was restored or is incoming, which only the next "
		"kernel may say. A kernel that believes it skips the record and leaves the device "
		"without a translation of its own." IF_POST_BOOT,
		REDO REPORT_IOMMU),
	EXPLAIN(REC_ADDRESS_RANGE,
		"%r has %f in %n, which is not a possible address, or not one of its unit",
		"The address is unaligned or is beyond the physical address range, or 0 where "
		"there must be one; or it is of another PCI segment than the unit's. It would be "
		"handed to hardware or followed by the next kernel. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(REC_MODE,
		"%r has %f in %n, which does not belong to its unit's translation mode",
		"Legacy and scalable mode keep their state in different tables. The next kernel "
		"cannot switch modes while translation is on, and would read one kind of table as "
		"the other.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_VALUE,
		"%r has %f in %n, which is out of range",
		"The value is not one that the format or the hardware allows. " REFUSED
		" In the log of a kernel that boots it also means that this machine's unit is not there, "
		"is off, or runs in another mode than the record says.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_PRE,
		"%r has page requests enabled",
		"Nobody serves page requests while one kernel hands over to the next: requests "
		"are lost and the device may hang. Preserving must switch them off first.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_DUPLICATE,
		"%r says what another record says already",
		"Two live records stand for the same object (an attachment of one device and "
		"PASID, an alias, or an HWPT of one iommufd and token). The next kernel consumes one "
		"and then refuses the other.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_DELETED_NOT_ZERO,
		"%r is deleted, but not cleared",
		"Apart from flags and index a deleted record is zero. Deletion was interrupted, "
		"or the deleted flag is set by mistake on a live one: then a device in use would "
		"be forgotten.",
		REDO REPORT_IOMMU),
	EXPLAIN(REC_LEVEL,
		"%r has a page table of level %F, which its format or width does not allow",
		"The level decides how many steps the walk takes. One too many or too few, and "
		"every address of the domain is translated wrongly. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(REC_ROOT_UNKNOWN,
		"there is IOMMU state of a revision that is not known here (%d)",
		"Neither the name nor the contents of the root fit a layout that this reader has, "
		"or it says a version that this reader does not know. A kernel refuses what it "
		"doesn't know.",
		"If you know the layout, name it with --abi. Otherwise do not kexec unless the next "
		"kernel knows it (iommu-kho-dump preflight IMAGE --kernel FILE), and look for a newer "
		"iommu-kho-dump."),
	EXPLAIN(REC_ROOT_FIELD,
		"the root of the IOMMU state has %f in %n, which is not possible",
		"The root leads to every record. With a wrong size, address or reserved byte in "
		"it, nothing behind it can be relied upon. " REFUSED,
		REDO REPORT_IOMMU),
	EXPLAIN(REC_ROOT_UNREADABLE,
		"the root of the IOMMU state cannot be read",
		"The address that LUO's FLB gives is impossible, or leads to a page that is not "
		"in the image, or that was not preserved. A next kernel that cannot read it "
		"either has no translation to take over." IF_POST_BOOT,
		"If the image was cut short or taken after boot, take it again (docs/capture.md). "
		"Otherwise do not kexec with this handover. " REPORT_IOMMU),
	EXPLAIN(REC_STALE_DEVICE,
		"%r was unpreserved: its domain is deleted",
		"The iommu-v1 series marks nothing when a device is unpreserved; only its "
		"domain's deleted flag tells. The record is treated as deleted here, but a kernel "
		"that does not look at the domain would restore it.",
		"Close all sessions before kexec so that the stale record goes, or make sure that "
		"the next kernel ignores devices of deleted domains."),
	EXPLAIN(REC_NOT_TAKEN_OVER,
		"the IOMMU state at %f was handed over and shows no sign of being taken over",
		"This kernel came up from a handover. The FLB table of an earlier jump still lies in "
		"memory and leads to this IOMMU root, which is whole, seal "
		"and all, down to VT-d tables without one entry more than at the jump. A kernel "
		"that takes such state over goes on using the tables and adds entries of its "
		"own devices, and frees all of it once the sessions are finished. One without "
		"CONFIG_IOMMU_LIVEUPDATE leaves it as it is: translation was off while it booted, with "
		"devices still doing DMA. The one other explanation is a unit that has no devices "
		"but the preserved ones, whose sessions are not finished.",
		"Look whether this kernel has CONFIG_IOMMU_LIVEUPDATE, and for \"DMAR: Translation was "
		"enabled\" in its log. If it has not, take memory that the devices could reach for "
		"damaged, and boot a kernel with the option before the next live update. The "
		"state itself: verify and show with --flb ROOT --abi iommuser-v1."),
	EXPLAIN(REC_STATE_COUNT,
		"the image tells where %F %d records stand; the chain has %E",
		"An image of the handover that a kernel came up with tells, record by record, how "
		"far it was taken over. Both are read from that kernel at the same time, so the "
		"image was changed, or the kernel no longer goes by the records.",
		"Take the image again: cat /sys/kernel/debug/iommu/liveupdate/incoming. If it stays, do "
		"not kexec into another live update before the sessions are finished. " REPORT_IOMMU),
	EXPLAIN(REC_STATE,
		"the record is deleted, and the image says that it is in state %F",
		"A deleted record is a place in the chain that nothing is restored for: it stays as it "
		"was handed over. A kernel that takes it further uses something that was not "
		"preserved.",
		"Take the image again: cat /sys/kernel/debug/iommu/liveupdate/incoming. If it stays, do "
		"not kexec into another live update: what the kernel has taken over is not what it was "
		"given. Move the guests away, and reset the host. " REPORT_IOMMU),

	/* REF: counts and references across records and files */
	EXPLAIN(REF_IOMMU_COUNT,
		"%r has a reference count of %F, but %E live devices are on it",
		"The unit's state is dropped when its count reaches 0. Too low frees tables that "
		"hardware still walks; too high never gives them back. Either way a record of a "
		"device may be missing.",
		REDO REPORT_IOMMU),
	EXPLAIN(REF_DOMAIN_UNUSED,
		"%r has no user",
		"No live device and no HWPT refers to the domain. Its record should have been "
		"deleted, or the record that uses it was lost, with a device that still does DMA.",
		REDO REPORT_IOMMU),
	EXPLAIN(REF_DOMAIN_COUNT,
		"%r has a reference count of %F, but %E live attachments and HWPTs refer to it",
		"The count disagrees with the attachments and HWPTs of the domain. A domain freed "
		"too early takes its page tables away from devices in use.",
		REDO REPORT_IOMMU),
	EXPLAIN(REF_DEVICE_COUNT,
		"%r has a reference count of %F, but %E live aliases and attachments refer to it",
		"The count disagrees with the aliases and attachments of the device, so one of "
		"those was lost or is stale.",
		REDO REPORT_IOMMU),
	EXPLAIN(REF_ATTACHMENT,
		"%r does not have exactly one attachment for requests without PASID (found %F)",
		"Each preserved device is attached to one domain for its ordinary DMA. Without it "
		"the next kernel does not know the domain, with two it could choose the wrong one.",
		REDO REPORT_IOMMU),
	EXPLAIN(REF_HWPT_TOKEN,
		"%r is of the iommufd %f, which is in no session",
		"Nobody can retrieve the HWPT, and its memory stays reserved. Records of "
		"iommuser-v1 name an iommufd by the address of its file's data.",
		REDO_LUO "The iommufd has to be preserved before what depends on it, in the same "
		"session. " REPORT_IOMMU),
	EXPLAIN(REF_FILE_DOMAIN,
		"an iommufd file refers to a domain at %f, where no live domain record begins",
		"The file in the session and the IOMMU state disagree. Retrieving the iommufd "
		"fails, or gives its owner a page table that is not its own.",
		REDO_LUO REPORT_IOMMU),
	EXPLAIN(REF_FILE_DEVICE,
		"a vfio file names a device (%f) that no live record is for",
		"The session preserves a device whose translation is not preserved. The next "
		"kernel refuses the file, and the device's DMA is blocked or goes astray until it "
		"is reset.",
		REDO_LUO REPORT_IOMMU),
	EXPLAIN(REF_OWNER_TOKEN,
		"%r belongs to the iommufd %f, which is in no session",
		"The owner of the device's DMA is not preserved. Nobody can take the device over "
		"after the update; it stays blocked. Records of iommuser-v1 name an iommufd by "
		"the address of its file's data, those of other layouts by its token.",
		REDO_LUO "The iommufd has to be preserved in the same session as the device. "
		REPORT_IOMMU),
	EXPLAIN(REF_DEVICE_FILE,
		"%r is preserved, but no vfio file in any session is for it",
		"The translation of the device is kept alive, but nobody can retrieve the device: "
		"its DMA goes on without an owner.",
		REDO_LUO REPORT_IOMMU),
	EXPLAIN(REF_FILE_HWPTS,
		"an iommufd file announces %F HWPTs where %E are found",
		"The number in the file disagrees with what is there. The next kernel reads "
		"beyond the list, or HWPTs are lost.",
		REDO_LUO REPORT_IOMMU),
	EXPLAIN(REF_FILE_TOKEN,
		"a file has the iommufd token %f, which is not that of its iommufd in its session",
		"A vfio device and the iommufd that owns it are tied by the iommufd's token in "
		"LUO, which is unique in one session only. Without its iommufd the device cannot "
		"be restored.",
		REDO_LUO "Both have to be preserved in the same session. " REPORT_IOMMU),
	EXPLAIN(REF_FILE_UNREADABLE,
		"the data of an iommufd or vfio file are not in the image",
		"The file is listed in a session, but the page with its data is missing, so it "
		"could not be compared with the IOMMU state." IF_POST_BOOT,
		RECAPTURE),
	EXPLAIN(REF_FILE_INVALID,
		"the data of an iommufd or vfio file have an impossible value (%f)",
		"A field of the file's data is out of range or a reserved byte is not zero. The "
		"next kernel refuses the file, or misreads which device or domain it is for.",
		REDO_LUO REPORT_IOMMU),

	/* DID: domain IDs */
	EXPLAIN(REF_OWNER_DOMAIN,
		"%r uses domain %F, which is no HWPT of the iommufd that owns the device",
		"The domain belongs to another iommufd or to none. After the update the device "
		"would go on reaching memory of another virtual machine, and the owner could not "
		"take the domain back.",
		REDO REPORT_IOMMU),
	EXPLAIN(DID_RESERVED,
		"%r uses the domain ID %F; the first that a domain may use is %E",
		"Domain IDs below the first allocatable one have a meaning of their own "
		"(blocking, pass-through). A domain under such an ID shares cached translations "
		"with others: DMA may reach memory that it must not.",
		REDO REPORT_IOMMU),
	EXPLAIN(DID_LIMIT,
		"%r uses the domain ID %F, which is not below its unit's limit %E",
		"The unit has fewer domain IDs. The next kernel cannot reserve this one, and "
		"hardware ignores the upper bits so that it collides with another ID.",
		REDO REPORT_IOMMU),
	EXPLAIN(DID_COLLISION,
		"%r shares the domain ID %F with another domain on the same unit",
		"The hardware tags cached translations with the domain ID only. Two domains under "
		"one ID on a unit see each other's translations: a guest's device can reach "
		"another guest's memory.",
		"Stop the guests of both domains until it is explained (show lists the devices of each): "
		"their isolation is broken already. " REDO REPORT_IOMMU),
	EXPLAIN(DID_SPLIT,
		"%r has the domain ID %F where its domain has %E on the same unit",
		"One domain has one ID on each unit. With two, the next kernel invalidates only "
		"one of them, and stale translations stay usable.",
		REDO REPORT_IOMMU),
	EXPLAIN(DID_ENTRY,
		"%r has the domain ID %E, but its hardware entry holds %F",
		"The record and the table that the hardware walks disagree. The next kernel would "
		"reserve and invalidate the wrong ID: stale translations stay usable.",
		REDO REPORT_IOMMU),

	/* VTD: root, context and PASID tables */
	EXPLAIN(VTD_ROOT_TABLE,
		"the root table at %f cannot be used",
		"The address of the root table is unaligned, out of range, or leads to memory "
		"that cannot be read. The unit walks this table for every DMA; the next kernel "
		"cannot take it over.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_CONTEXT_TABLE,
		"a root entry leads to a context table at %f that cannot be used",
		"The context table is out of range, cannot be read, or is reached from two "
		"places. The devices of that bus have no sound entry; DMA faults or goes astray.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_NO_ENTRY,
		"%r has no present context entry",
		"The device is preserved in the records, but the hardware has no translation for "
		"it: its DMA is faulting already, or will once caches are flushed.",
		AGAIN "DMA was lost: look for DMAR faults of the device in the host's log, and reset "
		"the device or its guest. " LOOK REPORT_IOMMU),
	EXPLAIN(VTD_TOP_TABLE,
		"%r has an entry that leads to a page table at %f, but its domain has %e",
		"The hardware and the record name different page tables. The next kernel would "
		"keep and later edit one while the device uses the other. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_WIDTH,
		"%r has an entry for page tables of %F levels where its domain's have %E",
		"The width decides how many levels the hardware walks. When it doesn't fit the "
		"table, all addresses are translated wrongly. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_TRANSLATION_TYPE,
		"%r has an entry of translation type %F where type %E is what it needs",
		"The entry is pass-through or reserved, or it refuses the translated requests of "
		"a device whose record says that it uses ATS. With pass-through the device "
		"reaches all of memory; without translated requests its DMA faults.",
		"Stop the guest that has the device until it is explained: its isolation is broken "
		"already. " REDO REPORT_IOMMU),
	EXPLAIN(VTD_MODE,
		"the tables of a unit are not of the mode its record says",
		"A root entry has its upper half in use in legacy mode, or the tables otherwise "
		"do not fit the recorded mode. The mode cannot change while translation is on: "
		"the next kernel fails to take the unit over.",
		AGAIN "Check that both kernels use the same setting for scalable mode "
		"(intel_iommu=sm_on or sm_off). " LOOK REPORT_IOMMU),
	EXPLAIN(VTD_DIRECTORY,
		"%r has a PASID directory at %e, but its context entry leads to %f",
		"The hardware and the record name different PASID directories, or the one named "
		"cannot be used. The next kernel would edit a directory that the device does not "
		"use.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_DIRECTORY_SIZE,
		"%r has a PASID directory for %E PASIDs, but its context entry covers %F",
		"When the entry covers more than was preserved, the hardware reads the memory "
		"behind the directory as entries; when it covers less, PASIDs are cut off.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_PASID_TABLE,
		"a PASID directory entry leads to a table at %f that cannot be used",
		"The PASID table is out of range, cannot be read, or is reached from two places, or "
		"the entry has reserved bits set, which are shown with the address. Entries would be "
		"taken from unrelated memory, or DMA faults.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_PASID_ABSENT,
		"%r has no present entry for PASID %F",
		"The record says the device is attached, but the PASID table has no such entry: "
		"DMA is faulting already.",
		AGAIN "DMA was lost: look for DMAR faults of the device in the host's log, and reset "
		"the device or its guest. " LOOK REPORT_IOMMU),
	EXPLAIN(VTD_PASID_TYPE,
		"%r has a PASID entry of type %F where its domain needs %E",
		"The entry says another stage than the domain's: the hardware reads the page "
		"table in the wrong format. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_PASID_EXTRA,
		"a present PASID entry (PASID %F) belongs to no preserved attachment",
		"Something besides the preserved domain is attached to the device. Its page table "
		"is not preserved, so the device can reach memory that the next kernel gives to "
		"others.",
		STOP "Detach all PASIDs that are not preserved from the device, preserve again "
		"and verify a new image. " REPORT_IOMMU),
	EXPLAIN(VTD_STRANGER,
		"a present context entry (device %f) belongs to no preserved device",
		"A device that nobody preserved still has a translation. Its page table is not "
		"preserved, so its DMA hits memory that the next kernel gives to others. In an "
		"image taken before the kexec system call this is usual: entries of unpreserved "
		"devices are cleared in the last moment.",
		"If the image was taken before the reboot call, verify it with --origin outgoing, "
		"which leaves this check out: the jump clears such entries. If it was taken at the "
		"jump, do not kexec other hosts that run this kernel. " REPORT_IOMMU),
	EXPLAIN(VTD_RESERVED,
		"a table entry of a unit has bits set that have no place in it (%f)",
		"They are reserved, or of the stage that a PASID entry is not of. Hardware treats "
		"reserved bits as a fault, or a newer one gives them a meaning. The table was "
		"corrupted or is not what it is taken for.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_BITMAP,
		"%r and its root table disagree on which context tables there are",
		"The record has one bit for each context table that was preserved. A table "
		"without its bit was not preserved and will be reused while hardware walks it; a "
		"bit without a table makes the next kernel restore what is not there.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_PRE,
		"a context entry (device %f) has page requests enabled",
		"Nobody serves page requests while one kernel hands over to the next: requests "
		"are lost and the device may hang.",
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_ALIAS,
		"%r has a context entry that differs from its device's",
		"Requests under an alias come from the same device and must be translated alike. "
		"Part of the device's DMA goes to another page table. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_RID_PASID,
		"%r has an entry that treats requests without PASID as PASID %F; %E is recorded",
		"Ordinary DMA of the device would be translated through another PASID entry than "
		"the preserved one. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(VTD_UNREADABLE,
		"a table of a unit is not in the image",
		"A root, context or PASID table is missing, so what the hardware would find in it "
		"could not be checked." IF_POST_BOOT,
		RECAPTURE),
	EXPLAIN(VTD_UNIT_NOT_CHECKED,
		"%r is of a kind whose tables are not known here",
		"Its records were checked, but the tables its hardware walks were not: only those "
		"of Intel VT-d are known.",
		"Do not take the absence of findings for this unit as proof that its tables are "
		"sound."),

	/* PT: page tables */
	EXPLAIN(PT_TOP_TABLE,
		"%r has a top table at %f that cannot be used",
		"The address of the page table is unaligned, is out of range, or leads to memory "
		"that cannot be read. The domain translates nothing, or from unrelated memory. "
		STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(PT_UNREADABLE,
		"a page table of %r at %f cannot be read",
		"An entry leads to a table that is out of range, or that is not in the image. "
		"What it maps is unknown, and so is whether that memory is preserved.",
		"If the image was cut short or taken after boot, take it again (docs/capture.md). "
		"Otherwise do not kexec with this handover. " REPORT_IOMMU),
	EXPLAIN(PT_REPEATED,
		"a page table of %r at %f is reached a second time",
		"A table page belongs to one place in one domain. A cycle or a page shared "
		"between domains means that unmapping in one place changes another, and that the "
		"page is freed twice.",
		REDO REPORT_IOMMU),
	EXPLAIN(PT_RESERVED,
		"a page table entry of %r has reserved bits set (%f)",
		"Hardware faults on such an entry. The table was corrupted, or the page is not a "
		"page table.",
		REDO REPORT_IOMMU),
	EXPLAIN(PT_LEAF_LEVEL,
		"a page table entry of %r maps a large page at a level that has none (%f)",
		"Large pages exist at 2 MiB and 1 GiB only. Hardware faults on the entry, or the "
		"page is not a page table.",
		REDO REPORT_IOMMU),
	EXPLAIN(PT_LEAF_ALIGNMENT,
		"a large page of %r is not aligned to its size (%f)",
		"Hardware ignores or rejects the low address bits, so DMA reaches other memory "
		"than the kernel believes. " STRAY_DMA,
		REDO REPORT_IOMMU),
	EXPLAIN(PT_NO_PERMISSION,
		"a page table entry of %r is in use, but allows neither reading nor writing (%f)",
		"Hardware treats the entry as absent, the kernel may not. The mapping is useless; "
		"it may be a half-finished unmap.",
		"Go on: the update itself is not in danger. " REPORT_IOMMU),
	EXPLAIN(PT_OUTPUT_WIDTH,
		"a page table entry of %r leads to %f, beyond the machine's physical address width",
		"There is no memory at this address. DMA through it faults or is lost, and the "
		"next kernel cannot restore a page there.",
		REDO REPORT_IOMMU),
	EXPLAIN(PT_PAGE_COUNT,
		"%r has %F page table pages where its record says %E",
		"Tables were added or lost after the record was made: the domain changed while it "
		"was preserved. New tables may not be preserved.",
		REDO REPORT_IOMMU),
	EXPLAIN(PT_SNOOP,
		"some leaf entries of %r force snooping and others do not",
		"Whether DMA is coherent with the caches is a property of the whole domain. With "
		"a mixture the next kernel may assume the wrong one, and a non-coherent device "
		"sees stale data.",
		"Ask the owner of the device whether it does no-snoop DMA (graphics, some "
		"accelerators): if so, unpreserve it before the kexec. Otherwise go on. " REPORT_IOMMU),
	EXPLAIN(PT_READ_ONLY,
		"%r is a nested parent with read-only mappings",
		"On units with erratum 772415, hardware can write through read-only mappings of a "
		"nested parent domain.",
		"Fourth-generation Xeon processors (Sapphire Rapids) have the erratum; the monitor gets "
		"it as a flag of IOMMU_GET_HW_INFO. If the host has it, use no nested translation on "
		"it; otherwise go on."),
	EXPLAIN(PT_PAGE_SIZE,
		"%r maps a page of a size that its record does not allow (%f)",
		"The page-size bitmap of the record says what the unit can walk. A size outside "
		"of it faults, or the record is not this domain's.",
		REDO REPORT_IOMMU),

	/* CLOSURE: is everything preserved that will be reached? */
	EXPLAIN(CLOSURE_ARRAY,
		"a page of IOMMU records is not preserved",
		"The next kernel reads its IOMMU state from memory that it may already have "
		"reused: a panic, or translations made of garbage.",
		REDO REPORT_IOMMU),
	EXPLAIN(CLOSURE_VTD_TABLE,
		"a root, context or PASID table is not preserved",
		"The hardware goes on looking up devices in this table during the update, while "
		"the next kernel hands its page out as free memory: whole devices then translate "
		"through whatever the new contents say.",
		REDO REPORT_IOMMU),
	EXPLAIN(CLOSURE_PAGE_TABLE,
		"a page table of %r is not preserved",
		"The hardware goes on walking this table during the update, while the next kernel "
		"hands its page out as free memory: devices then do DMA wherever the new contents "
		"say.",
		REDO REPORT_IOMMU),
	EXPLAIN(CLOSURE_LEAF,
		"%r maps memory at %f, as IOVA %e, that is not preserved",
		"A device can write to this memory during the update, while the next kernel hands "
		"it out as free: silent corruption of whatever is put there. Typical causes: "
		"anonymous memory or a memfd that is not in a session is mapped, or a mapping was "
		"added after preserving.",
		STOP "See whose memory it is: iommu-kho-dump maps BDF IMAGE. Have the guest's memory "
		"come from sealed memfds that are preserved in the session, preserve again, and "
		"verify a new image. If the address is a device's (MMIO), nothing needs to be "
		"preserved."),
	EXPLAIN(CLOSURE_METADATA_MAPPED,
		"%r maps memory at %f for DMA that holds tables or records of the handover",
		"A device may write to the very tables that restrict it, so its isolation is "
		"gone; one stray write and the handover is corrupt.",
		STOP "Stop the guest that owns the device, and treat it as hostile until this is "
		"explained (show lists which iommufd and session that is). "
		REPORT_IOMMU),
	EXPLAIN(CLOSURE_UNEXPLAINED,
		"%F preserved bytes are referred to by nothing that was read",
		"Memory is preserved that belongs to no session, file, table or record known "
		"here. It may be another subsystem's, or a leak: preserved again at each update "
		"and never freed. Linux before the fix of blocks split at NUMA borders leaked in "
		"this way.",
		"Nothing to do for one update. If the amount grows from update to update, report "
		"it as a leak."),
	EXPLAIN(CLOSURE_LUO,
		"a page of LUO's state is not preserved",
		"Sessions, files or FLBs lie in memory that the next kernel may reuse before it "
		"reads them: a panic in early boot, or files that cannot be retrieved.",
		REDO_LUO REPORT_LUO),
	EXPLAIN(CLOSURE_UNKNOWN,
		"what is preserved is not known, so nothing could be checked against it",
		"The image has no readable KHO memory map and carries no list of preserved "
		"memory; the checks that everything reachable is preserved were left out. The files "
		"outgoing and incoming of debugfs never carry it: there it is as it should be."
		IF_POST_BOOT,
		"Nothing to do for an image that the kernel's debugfs wrote. To check what is preserved as "
		"well, look into memory: iommu-kho-dump verify --origin outgoing /proc/kcore on the host, "
		"or a dump that was taken at the jump."),

	/* SEAL: checksums of iommuser-v1 */
	EXPLAIN(SEAL_ROOT,
		"the root page holds the CRC-32 %f; its contents give %e",
		"The root page was changed after it was sealed: a stray write, DMA to the wrong "
		"place, or a bug of the writer. " REFUSED,
		AGAIN LOOK "If other pages are wrong too, suspect memory, or a device that writes "
		"where it must not. " REPORT_IOMMU),
	EXPLAIN(SEAL_PAGE,
		"a page of records holds the CRC-32 %f; its contents give %e",
		"The page was changed after it was sealed: a stray write, DMA to the wrong place, "
		"or a bug of the writer. " REFUSED,
		AGAIN LOOK "If other pages are wrong too, suspect memory, or a device that writes "
		"where it must not. " REPORT_IOMMU),
};
/* clang-format on */

const struct explanation *explain_id(enum iommuser_finding_id id)
{
	return &explanations[id];
}

static bool is_of_area(enum iommuser_finding_id id, const char *area)
{
	return !strncmp(iommuser_finding_code(id), area, strlen(area));
}

const char *explain_afterwards(enum iommuser_finding_id id)
{
	if (iommuser_finding_severity(id) != IOMMUSER_ERROR)
		return NULL;
	switch (id) {
	case IOMMUSER_FINDING_REC_STATE:
	case IOMMUSER_FINDING_REC_STATE_COUNT:
		/* They are of a kernel that runs: their action says it all. */
		return NULL;
	case IOMMUSER_FINDING_REC_VALUE:
	case IOMMUSER_FINDING_VTD_MODE:
		return AFTER_IOMMU AFTER_VALUE;
	case IOMMUSER_FINDING_DID_COLLISION:
		return AFTER_IOMMU AFTER_DID;
	case IOMMUSER_FINDING_REF_HWPT_TOKEN:
	case IOMMUSER_FINDING_REF_FILE_DOMAIN:
	case IOMMUSER_FINDING_REF_FILE_DEVICE:
	case IOMMUSER_FINDING_REF_OWNER_TOKEN:
	case IOMMUSER_FINDING_REF_DEVICE_FILE:
	case IOMMUSER_FINDING_REF_FILE_HWPTS:
	case IOMMUSER_FINDING_REF_FILE_TOKEN:
	case IOMMUSER_FINDING_REF_FILE_INVALID:
	case IOMMUSER_FINDING_REF_OWNER_DOMAIN:
		return AFTER_FILES;
	case IOMMUSER_FINDING_CLOSURE_LUO:
		return AFTER_LUO;
	default:
		break;
	}
	if (is_of_area(id, "KHO-"))
		return AFTER_KHO;
	if (is_of_area(id, "LUO-"))
		return AFTER_LUO;
	return is_of_area(id, "CLOSURE-") ? AFTER_CLOSURE : AFTER_IOMMU;
}

enum iommuser_finding_id explain_find(const char *code)
{
	unsigned int id;

	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		if (strcasecmp(code, iommuser_finding_code((enum iommuser_finding_id)id)) == 0)
			break;
	}
	return (enum iommuser_finding_id)id;
}
