// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where the running kernel has KHO's FDTs: the one for the next kernel, the one
 * it was given itself.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kho/abi/kho.h>

#include "kho.h"
#include "little-endian.h"
#include "live.h"
#include "source-private.h"

#define OUTGOING "/sys/kernel/debug/kho/out/fdt"
#define SETUP_DATA "/sys/kernel/boot_params/setup_data"
#define DEVICE_TREE "/proc/device-tree"
#define CHOSEN DEVICE_TREE "/chosen/linux,kho-fdt"
/* Numbers of x86's boot protocol. */
#define SETUP_KEXEC_KHO 10
#define SETUP_KEXEC_KHO_SIZE 32
#define MAX_FDT 65536

static void take_hint(struct source *source, u64 phys, const char *origin)
{
	source->has_hints = true;
	source->hints.has_kho = true;
	source->hints.kho = phys;
	snprintf(source->hints.origin, sizeof(source->hints.origin), "%s", origin);
}

/* The kernel gives the FDT's bytes, not its address; but its page is in the map that it leads to. */
static bool find_outgoing(struct source *source, struct live_log *log)
{
	u8 *fdt = malloc(MAX_FDT + 1);
	ssize_t size = fdt ? live_read_file(OUTGOING, fdt, MAX_FDT + 1) : -1;
	bool found = false;
	u64 phys;

	if (!fdt)
		live_missed(log, "%s: out of memory", OUTGOING);
	else if (size < 0)
		live_missed(log, "%s: %s%s", OUTGOING, live_reason(errno),
			    errno == ENOENT ? " (no kho=on, no debugfs, or none of KHO's in it)" :
					      "");
	else
		found = !kho_locate(source, fdt, (size_t)size, &phys);
	free(fdt);
	if (found) {
		live_used(log, "%s: the KHO FDT for the next kernel is at 0x%llx", OUTGOING,
			  (unsigned long long)phys);
		take_hint(source, phys, "outgoing");
	} else if (size >= 0) {
		live_missed(log, "%s: that FDT is in no page that its own memory map preserves",
			    OUTGOING);
	}
	return found;
}

static bool read_setup_node(const char *name, u64 *phys, bool *unclear)
{
	char path[128], type[32];
	u8 data[SETUP_KEXEC_KHO_SIZE + 1];

	snprintf(path, sizeof(path), SETUP_DATA "/%.16s/type", name);
	if (live_read_file(path, type, sizeof(type)) < 0 ||
	    strtoul(type, NULL, 0) != SETUP_KEXEC_KHO)
		return false;
	*unclear = true;
	snprintf(path, sizeof(path), SETUP_DATA "/%.16s/data", name);
	if (live_read_file(path, data, sizeof(data)) != SETUP_KEXEC_KHO_SIZE)
		return false;
	*phys = get64(data);
	return *phys && *phys < SOURCE_PHYS_END;
}

/* *@unclear: one was given perhaps, but not where. */
static bool find_setup_data(u64 *phys, bool *unclear, struct live_log *log)
{
	struct dirent **names = NULL;
	int nr = live_list(SETUP_DATA, &names);
	bool found = false;

	if (nr < 0 && errno != ENOENT) {
		live_missed(log, "%s: %s", SETUP_DATA, live_reason(errno));
		*unclear = true;
	} else if (nr < 0) {
		live_missed(log, "%s: there is none: no handover was given, or not on x86",
			    SETUP_DATA);
	}
	for (int i = 0; i < nr; i++) {
		if (!found && read_setup_node(names[i]->d_name, phys, unclear)) {
			found = true;
			live_used(log, "%s/%.16s: this kernel was given the KHO FDT at 0x%llx",
				  SETUP_DATA, names[i]->d_name, (unsigned long long)*phys);
		}
		free(names[i]);
	}
	free(names);
	if (nr >= 0 && !found)
		live_missed(log, "%s: %s", SETUP_DATA,
			    *unclear ? "it does not say where KHO's FDT is" :
				       "this kernel was given no handover");
	return found;
}

static u64 big_endian_cells(const u8 *cells, u32 nr)
{
	u64 value = 0;

	for (u32 i = 0; i < nr * 4; i++)
		value = value << 8 | cells[i];
	return value;
}

/* One pair (address, size), in cells of the root's numbers. */
static bool find_chosen(u64 *phys, bool *unclear, struct live_log *log)
{
	u8 cells[5], pair[33];
	ssize_t size = live_read_file(CHOSEN, pair, sizeof(pair));
	u32 nr = 2;

	*unclear = size >= 0 || errno != ENOENT;
	if (size < 0) {
		if (*unclear)
			live_missed(log, "%s: %s", CHOSEN, live_reason(errno));
		return false;
	}
	if (live_read_file(DEVICE_TREE "/#address-cells", cells, sizeof(cells)) == 4)
		nr = (u32)big_endian_cells(cells, 1);
	if (nr < 1 || nr > 2 || size <= (ssize_t)nr * 4) {
		live_missed(log, "%s: %zd bytes are no address and size", CHOSEN, size);
		return false;
	}
	*phys = big_endian_cells(pair, nr);
	if (!*phys || *phys >= SOURCE_PHYS_END) {
		live_missed(log, "%s: 0x%llx is no address", CHOSEN, (unsigned long long)*phys);
		return false;
	}
	live_used(log, "%s: this kernel was given the KHO FDT at 0x%llx", CHOSEN,
		  (unsigned long long)*phys);
	return true;
}

void live_find_kho(struct source *source, struct live_log *log)
{
	bool outgoing = find_outgoing(source, log), incoming, unclear = false;
	u64 phys;

	/* Linux has no file of the outgoing FDT when it came up from a handover itself. */
	if (!outgoing && live_find_symbol(source, log, &phys)) {
		take_hint(source, phys, "outgoing");
		outgoing = true;
	}
	incoming = find_chosen(&phys, &unclear, log) || find_setup_data(&phys, &unclear, log);
	if (outgoing)
		return;
	if (incoming) {
		take_hint(source, phys, "post-boot");
		live_missed(log,
			    "the KHO FDT for the next kernel: not to be found without a search "
			    "(--list-roots searches; --kho takes what it finds)");
		return;
	}
	live_missed(log, "no KHO FDT is named: memory is searched for one");
	/* What is found then is this kernel's own, for the next one. */
	if (!unclear) {
		source->has_hints = true;
		snprintf(source->hints.origin, sizeof(source->hints.origin), "outgoing");
	}
}
