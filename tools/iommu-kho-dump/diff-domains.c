// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which domain of one handover is which of the other? Domain records have no
 * name of their own: who uses a domain tells.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff-objects.h"

/* A HWPT or a device, perhaps with a PASID, and the domain that it uses. */
struct domain_user {
	char *name;
	u64 domain;
};

struct domain_users {
	struct domain_user *items;
	size_t nr;
	size_t room;
	bool failed;
};

/* Users that two domains have in common. */
struct domain_pair {
	u64 before;
	u64 after;
	u64 weight;
	const char *name;
};

/* A HWPT is what the user made, and outlives the attachment of a device. */
#define HWPT_WEIGHT 65536

static u64 count_domains(const struct diff_side *side)
{
	return side->handover->has_iommu ?
		       iommuser_graph_count(&side->handover->graph, IOMMUSER_KIND_DOMAIN) :
		       0;
}

static bool domain_of(const struct diff_side *side, u64 phys, u64 *position)
{
	union iommuser_record record;

	return !iommuser_graph_resolve(&side->handover->graph, phys, IOMMUSER_KIND_DOMAIN,
				       position) &&
	       diff_live(side->handover, IOMMUSER_KIND_DOMAIN, *position, &record);
}

static void add_user(struct domain_users *users, const char *prefix, const char *name, u64 domain)
{
	struct domain_user *more;

	if (users->failed)
		return;
	if (users->nr == users->room) {
		users->room = users->room ? users->room * 2 : 64;
		more = reallocarray(users->items, users->room, sizeof(*more));
		if (!more) {
			users->failed = true;
			return;
		}
		users->items = more;
	}
	if (asprintf(&users->items[users->nr].name, "%s %s", prefix, name) < 0) {
		users->failed = true;
		return;
	}
	users->items[users->nr++].domain = domain;
}

/* The domain that an object of this kind uses. */
static bool used_domain(const struct diff_side *side, const struct diff_object *object, u64 *domain)
{
	const struct handover *handover = side->handover;
	const struct iommuser_revision *revision = handover->root.revision;
	union iommuser_record record;

	if (object->kind == DIFF_HWPT && !revision->kinds[IOMMUSER_KIND_HWPT].size)
		return domain_of(
			side, handover->files.items[object->position].hwpts[object->minor].domain,
			domain);
	if (object->kind == DIFF_HWPT)
		return diff_live(handover, IOMMUSER_KIND_HWPT, object->position, &record) &&
		       domain_of(side, record.hwpt.domain, domain);
	if (object->kind == DIFF_ATTACHMENT)
		return diff_live(handover, IOMMUSER_KIND_ATTACHMENT, object->position, &record) &&
		       domain_of(side, record.attachment.domain, domain);
	return object->kind == DIFF_DEVICE &&
	       !(revision->properties & IOMMUSER_REVISION_ATTACHMENTS) &&
	       diff_live(handover, IOMMUSER_KIND_DEVICE, object->position, &record) &&
	       domain_of(side, record.device.domain, domain);
}

static int compare_users(const void *a, const void *b)
{
	const struct domain_user *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static bool collect_users(const struct diff_side *side, struct domain_users *users)
{
	const struct diff_object *object;
	u64 domain;
	size_t i;

	for (i = 0; i < side->nr; i++) {
		object = &side->objects[i];
		if ((object->kind == DIFF_HWPT || object->kind == DIFF_ATTACHMENT ||
		     object->kind == DIFF_DEVICE) &&
		    used_domain(side, object, &domain))
			add_user(users, object->kind == DIFF_HWPT ? "hwpt" : "device", object->name,
				 domain);
	}
	if (users->nr)
		qsort(users->items, users->nr, sizeof(*users->items), compare_users);
	return !users->failed;
}

static void free_users(struct domain_users *users)
{
	size_t i;

	for (i = 0; i < users->nr; i++)
		free(users->items[i].name);
	free(users->items);
}

static u64 weight_of(const char *name)
{
	return *name == 'h' ? HWPT_WEIGHT : 1;
}

/* A HWPT is the better name, then what comes first. */
static bool better_name(const char *name, const char *than)
{
	if (!than || weight_of(name) != weight_of(than))
		return !than || weight_of(name) > weight_of(than);
	return strcmp(name, than) < 0;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct domain_pair *left = a, *right = b;

	if (left->before != right->before)
		return left->before < right->before ? -1 : 1;
	return left->after < right->after ? -1 : left->after > right->after;
}

/* The most in common first; the name decides, so that no position does. */
static int compare_weights(const void *a, const void *b)
{
	const struct domain_pair *left = a, *right = b;

	if (left->weight != right->weight)
		return left->weight > right->weight ? -1 : 1;
	return strcmp(left->name, right->name);
}

/* One pair for each user of both sides. */
static size_t pair_users(const struct domain_users *before, const struct domain_users *after,
			 struct domain_pair *pairs)
{
	size_t i = 0, j = 0, nr = 0;
	int order;

	while (i < before->nr && j < after->nr) {
		order = strcmp(before->items[i].name, after->items[j].name);
		if (!order)
			pairs[nr++] = (struct domain_pair){ before->items[i].domain,
							    after->items[j].domain,
							    weight_of(before->items[i].name),
							    before->items[i].name };
		i += order <= 0;
		j += order >= 0;
	}
	return nr;
}

static size_t merge_pairs(struct domain_pair *pairs, size_t nr)
{
	size_t from, to = 0;

	if (nr)
		qsort(pairs, nr, sizeof(*pairs), compare_pairs);
	for (from = 0; from < nr; from++) {
		if (to && !compare_pairs(&pairs[to - 1], &pairs[from])) {
			pairs[to - 1].weight += pairs[from].weight;
			if (better_name(pairs[from].name, pairs[to - 1].name))
				pairs[to - 1].name = pairs[from].name;
		} else {
			pairs[to++] = pairs[from];
		}
	}
	if (to)
		qsort(pairs, to, sizeof(*pairs), compare_weights);
	return to;
}

static bool set_name(struct diff_side *side, u64 position, const char *name)
{
	side->domains[position] = strdup(name);
	return side->domains[position];
}

static bool match_by_users(struct diff_side *before, struct diff_side *after,
			   const struct domain_users *users_before,
			   const struct domain_users *users_after)
{
	size_t most = users_before->nr < users_after->nr ? users_before->nr : users_after->nr;
	struct domain_pair *pairs = calloc(most + 1, sizeof(*pairs));
	size_t nr, i;
	bool ok = true;

	if (!pairs)
		return false;
	nr = merge_pairs(pairs, pair_users(users_before, users_after, pairs));
	for (i = 0; i < nr && ok; i++)
		if (!before->domains[pairs[i].before] && !after->domains[pairs[i].after])
			ok = set_name(before, pairs[i].before, pairs[i].name) &&
			     set_name(after, pairs[i].after, pairs[i].name);
	free(pairs);
	return ok;
}

static int compare_tables(const void *a, const void *b)
{
	const struct domain_pair *left = a, *right = b;

	return left->weight < right->weight ? -1 : left->weight > right->weight;
}

/* Live domains without a name, by top table. */
static size_t list_tables(const struct diff_side *side, struct domain_pair *tables)
{
	union iommuser_record record;
	size_t nr = 0;
	u64 i;

	for (i = 0; i < count_domains(side); i++)
		if (!side->domains[i] &&
		    diff_live(side->handover, IOMMUSER_KIND_DOMAIN, i, &record))
			tables[nr++] = (struct domain_pair){ i, i, record.domain.top_table, NULL };
	if (nr)
		qsort(tables, nr, sizeof(*tables), compare_tables);
	return nr;
}

static bool match_by_tables(struct diff_side *before, struct diff_side *after)
{
	struct domain_pair *left = calloc(count_domains(before) + 1, sizeof(*left));
	struct domain_pair *right = calloc(count_domains(after) + 1, sizeof(*right));
	size_t nr_left, nr_right, i = 0, j = 0;
	bool ok = left && right;
	char name[40];

	nr_left = ok ? list_tables(before, left) : 0;
	nr_right = ok ? list_tables(after, right) : 0;
	while (ok && i < nr_left && j < nr_right) {
		if (left[i].weight != right[j].weight) {
			*(left[i].weight < right[j].weight ? &i : &j) += 1;
			continue;
		}
		snprintf(name, sizeof(name), "top table 0x%" PRIx64, left[i].weight);
		ok = set_name(before, left[i++].before, name) &&
		     set_name(after, right[j++].after, name);
	}
	free(left);
	free(right);
	return ok;
}

/* Those that are on one side alone are called by a user, or by their top table. */
static bool name_rest(struct diff_side *side, const struct domain_users *users)
{
	const char **names = calloc(count_domains(side) + 1, sizeof(*names));
	union iommuser_record record;
	char table[40];
	bool ok = names;
	size_t i;
	u64 at;

	for (i = 0; ok && i < users->nr; i++)
		if (better_name(users->items[i].name, names[users->items[i].domain]))
			names[users->items[i].domain] = users->items[i].name;
	for (at = 0; ok && at < count_domains(side); at++) {
		if (!diff_live(side->handover, IOMMUSER_KIND_DOMAIN, at, &record))
			continue;
		snprintf(table, sizeof(table), "top table 0x%" PRIx64, record.domain.top_table);
		if (!side->domains[at])
			ok = set_name(side, at, names[at] ? names[at] : table);
		if (ok)
			diff_add_object(side, DIFF_DOMAIN, side->domains[at], at, 0);
	}
	free(names);
	return ok && !side->failed;
}

bool diff_match_domains(struct diff_side *before, struct diff_side *after)
{
	struct domain_users users_before = { 0 }, users_after = { 0 };
	bool ok;

	before->domains = calloc(count_domains(before) + 1, sizeof(*before->domains));
	after->domains = calloc(count_domains(after) + 1, sizeof(*after->domains));
	ok = before->domains && after->domains && collect_users(before, &users_before) &&
	     collect_users(after, &users_after) &&
	     match_by_users(before, after, &users_before, &users_after) &&
	     match_by_tables(before, after) && name_rest(before, &users_before) &&
	     name_rest(after, &users_after);
	free_users(&users_before);
	free_users(&users_after);
	return ok;
}
