// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What has to be unique in LUO's state: session names, tokens in a session,
 * the data behind files, FLB names (K18). And which handlers are not known:
 * a kernel without one refuses every open of its live update device (K11).
 */
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/memfd.h>

#include "luo-reader.h"

static int compare_u64(u64 a, u64 b)
{
	return (a > b) - (a < b);
}

static int by_session_name(const void *a, const void *b)
{
	const struct luo_session *const *x = a, *const *y = b;
	int ret = strcmp((*x)->name, (*y)->name);

	return ret ? ret : compare_u64((*x)->phys, (*y)->phys);
}

static int by_token(const void *a, const void *b)
{
	const struct luo_file *const *x = a, *const *y = b;
	int ret = compare_u64((*x)->token, (*y)->token);

	return ret ? ret : compare_u64((*x)->phys, (*y)->phys);
}

static int by_data(const void *a, const void *b)
{
	const struct luo_file *const *x = a, *const *y = b;
	int ret = strcmp((*x)->compatible, (*y)->compatible);

	if (!ret)
		ret = compare_u64((*x)->data, (*y)->data);
	return ret ? ret : compare_u64((*x)->phys, (*y)->phys);
}

static int by_flb_name(const void *a, const void *b)
{
	const struct luo_flb *const *x = a, *const *y = b;
	int ret = strcmp((*x)->name, (*y)->name);

	return ret ? ret : compare_u64((*x)->phys, (*y)->phys);
}

static bool handler_known(const char *compatible)
{
	static const char *const handlers[] = {
		MEMFD_V1_COMPATIBLE, MEMFD_V2_COMPATIBLE,   "iommufd-v1",
		"vfio-pci-v1",	     "iommuser-iommufd-v1", "iommuser-vfio-pci-v1",
	};
	size_t i;

	for (i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
		if (!strcmp(compatible, handlers[i]))
			return true;
	return false;
}

/* What isn't has been reported as that. */
static bool is_text(const char *compatible)
{
	return compatible[0] && strlen(compatible) < LUO_COMPATIBLE_SIZE;
}

static int check_session_names(struct luo_reader *reader, const struct luo_state *luo)
{
	const struct luo_session **sorted;
	size_t i, first = 0;

	if (luo->nr_sessions < 2)
		return 0;
	sorted = calloc(luo->nr_sessions, sizeof(struct luo_session *));
	if (!sorted)
		return -IOMMUSER_ENOMEM;
	for (i = 0; i < luo->nr_sessions; i++)
		sorted[i] = &luo->sessions[i];
	qsort(sorted, luo->nr_sessions, sizeof(struct luo_session *), by_session_name);
	for (i = 1; i < luo->nr_sessions; i++) {
		if (strcmp(sorted[i]->name, sorted[first]->name))
			first = i;
		else if (sorted[i]->name[0])
			kho_note_name(reader->report, IOMMUSER_FINDING_LUO_SESSION_DUPLICATE,
				      sorted[i]->phys, sorted[first]->phys, 0, sorted[i]->name,
				      sizeof(sorted[i]->name));
	}
	free(sorted);
	return 0;
}

static int check_flb_names(struct luo_reader *reader, const struct luo_state *luo)
{
	const struct luo_flb **sorted;
	size_t i, first = 0;

	if (luo->nr_flbs < 2)
		return 0;
	sorted = calloc(luo->nr_flbs, sizeof(struct luo_flb *));
	if (!sorted)
		return -IOMMUSER_ENOMEM;
	for (i = 0; i < luo->nr_flbs; i++)
		sorted[i] = &luo->flbs[i];
	qsort(sorted, luo->nr_flbs, sizeof(struct luo_flb *), by_flb_name);
	for (i = 1; i < luo->nr_flbs; i++) {
		if (strcmp(sorted[i]->name, sorted[first]->name))
			first = i;
		else if (sorted[i]->name[0])
			kho_note_name(reader->report, IOMMUSER_FINDING_LUO_FLB_DUPLICATE,
				      sorted[i]->phys, sorted[first]->phys, 0, sorted[i]->name,
				      sizeof(sorted[i]->name));
	}
	free(sorted);
	return 0;
}

static void check_tokens(struct luo_reader *reader, struct luo_file **sorted, size_t nr)
{
	size_t i, first = 0;

	qsort(sorted, nr, sizeof(struct luo_file *), by_token);
	for (i = 1; i < nr; i++) {
		if (sorted[i]->token != sorted[first]->token)
			first = i;
		else
			luo_note(reader, IOMMUSER_FINDING_LUO_TOKEN_DUPLICATE, sorted[i]->phys,
				 sorted[i]->token, sorted[first]->phys);
	}
}

static void check_data(struct luo_reader *reader, struct luo_file **sorted, size_t nr)
{
	size_t i, first = 0;

	qsort(sorted, nr, sizeof(struct luo_file *), by_data);
	for (i = 0; i < nr; i++) {
		bool same_handler = i && !strcmp(sorted[i]->compatible, sorted[first]->compatible);

		if (!same_handler && is_text(sorted[i]->compatible) &&
		    !handler_known(sorted[i]->compatible))
			kho_note_name(reader->report, IOMMUSER_FINDING_LUO_HANDLER_UNKNOWN,
				      sorted[i]->phys, 0, 0, sorted[i]->compatible,
				      sizeof(sorted[i]->compatible));
		if (!same_handler || sorted[i]->data != sorted[first]->data) {
			first = i;
			continue;
		}
		/* What an unknown handler's data means isn't known either. */
		if (!sorted[i]->data || !handler_known(sorted[i]->compatible))
			continue;
		sorted[i]->is_duplicate = true;
		luo_note(reader, IOMMUSER_FINDING_LUO_DATA_DUPLICATE, sorted[i]->phys,
			 sorted[i]->data, sorted[first]->phys);
	}
}

static int check_files(struct luo_reader *reader, struct luo_state *luo)
{
	struct luo_file **sorted;
	size_t i, j, start, nr = 0;

	for (i = 0; i < luo->nr_sessions; i++)
		nr += luo->sessions[i].nr_files;
	if (!nr)
		return 0;
	sorted = calloc(nr, sizeof(struct luo_file *));
	if (!sorted)
		return -IOMMUSER_ENOMEM;
	for (i = 0, nr = 0; i < luo->nr_sessions; i++) {
		start = nr;
		for (j = 0; j < luo->sessions[i].nr_files; j++)
			sorted[nr++] = &luo->sessions[i].files[j];
		check_tokens(reader, sorted + start, nr - start);
	}
	check_data(reader, sorted, nr);
	free(sorted);
	return 0;
}

int luo_check_duplicates(struct luo_reader *reader, struct luo_state *luo)
{
	int ret = check_session_names(reader, luo);

	if (!ret)
		ret = check_files(reader, luo);
	if (!ret)
		ret = check_flb_names(reader, luo);
	return ret;
}
