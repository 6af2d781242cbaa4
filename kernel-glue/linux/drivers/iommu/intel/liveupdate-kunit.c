// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite "iommu-liveupdate-vtd": what liveupdate-replace.c decides. A
 * model of the hardware looks at an entry before, between and after all steps.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/string.h>

#include "liveupdate.h"
#include "pasid.h"

#define NR_WORDS		8
#define MAX_VIEWS		4
#define OLD_TABLE		0x0000001234567000ULL
#define NEW_TABLE		0x0000004321abc000ULL
#define OLD_DID			0x00f1
#define NEW_DID			0xfe02
#define TRANSIT_DID		0x0a0b

/**
 * struct translation - what hardware makes of an entry
 * @type: PASID_ENTRY_PGTT_*
 * @table: top table
 * @depth: address width (second stage) or paging mode (first stage)
 * @dirty: dirty bits are set
 * @walk_snoop: tables are read by way of the caches
 * @page_snoop: so is memory
 * @did: domain id
 */
struct translation {
	u16 type;
	u64 table;
	u64 depth;
	bool dirty;
	bool walk_snoop;
	bool page_snoop;
	u16 did;
};

static struct translation look(struct pasid_entry *entry)
{
	struct translation seen = {
		.type = pasid_pte_get_pgtt(entry),
		.walk_snoop = entry->val[1] >> 23 & 1,
		.page_snoop = entry->val[1] >> 24 & 1,
		.did = entry->val[1] & 0xffff,
	};

	if (seen.type == PASID_ENTRY_PGTT_FL_ONLY) {
		seen.table = entry->val[2] & VTD_PAGE_MASK;
		seen.depth = entry->val[2] >> 2 & 3;
	} else {
		seen.table = entry->val[0] & VTD_PAGE_MASK;
		seen.depth = entry->val[0] >> 2 & 7;
		seen.dirty = entry->val[0] >> 9 & 1;
	}
	return seen;
}

static void make_first(struct pasid_entry *entry, u64 table, u16 did, u64 levels, u64 snoop)
{
	memset(entry, 0, sizeof(*entry));
	entry->val[0] = 1 | 2 << 2 | PASID_ENTRY_PGTT_FL_ONLY << 6;
	entry->val[1] = did | snoop << 23;
	entry->val[2] = table | (levels - 4) << 2;
}

static void make_second(struct pasid_entry *entry, u64 table, u16 did, u64 width, u64 flags)
{
	memset(entry, 0, sizeof(*entry));
	entry->val[0] = table | 1 | width << 2 | PASID_ENTRY_PGTT_SL_ONLY << 6 | (flags & 1) << 9;
	entry->val[1] = did | (flags >> 1 & 1) << 23;
}

#define NR_KINDS		14

/* Every kind of entry that the driver makes. */
static void make_entry(struct pasid_entry *entry, unsigned int kind, u64 table, u16 did)
{
	if (kind < 8)
		make_first(entry, table, did, 4 + (kind & 1), kind >> 1);
	else
		make_second(entry, table, did, 1 + (kind - 8) % 3, kind < 11 ? 2 : 3);
}

static bool same_domain(const struct translation *a, const struct translation *b)
{
	return a->type == b->type && a->table == b->table && a->depth == b->depth &&
	       a->dirty == b->dirty;
}

static bool plan_replace(struct pasid_entry *old, struct pasid_entry *new,
			 struct intel_liveupdate_plan *plan)
{
	return intel_liveupdate_plan_replace(old, new, TRANSIT_DID, plan);
}

/* Everything that hardware may have found in the entry, in this order. */
struct views {
	struct pasid_entry entries[MAX_VIEWS];
	unsigned int nr;
};

static void play(struct kunit *test, struct pasid_entry *old,
		 const struct intel_liveupdate_plan *plan, struct views *views)
{
	struct pasid_entry now = *old;
	unsigned int i;

	KUNIT_ASSERT_GT(test, plan->nr_steps, 0);
	KUNIT_ASSERT_LE(test, plan->nr_steps, ARRAY_SIZE(plan->steps));
	views->nr = 0;
	views->entries[views->nr++] = now;
	for (i = 0; i < plan->nr_steps; i++) {
		KUNIT_ASSERT_LT(test, plan->steps[i].chunk, NR_WORDS / 2);
		now.val[plan->steps[i].chunk * 2] = plan->steps[i].lo;
		now.val[plan->steps[i].chunk * 2 + 1] = plan->steps[i].hi;
		views->entries[views->nr++] = now;
	}
}

static bool is_flushed(const struct intel_liveupdate_flush *flush, const struct translation *seen)
{
	bool first_stage = seen->type == PASID_ENTRY_PGTT_FL_ONLY;
	unsigned int i;

	for (i = 0; i < flush->nr_dids; i++) {
		if (flush->dids[i].did == seen->did && flush->dids[i].first_stage == first_stage)
			return true;
	}
	return false;
}

/* Both or one of two first-stage tables may be under the id for the time between. */
static void check_did(struct kunit *test, u16 did, const struct translation *of,
		      const struct translation *other)
{
	if (did == of->did)
		return;
	KUNIT_EXPECT_EQ(test, did, TRANSIT_DID);
	KUNIT_EXPECT_EQ(test, of->type, PASID_ENTRY_PGTT_FL_ONLY);
	KUNIT_EXPECT_EQ(test, other->type, PASID_ENTRY_PGTT_FL_ONLY);
}

static void check_view(struct kunit *test, struct pasid_entry *view, struct pasid_entry *old,
		       struct pasid_entry *new, bool *moved)
{
	struct translation seen = look(view), from = look(old), to = look(new);
	bool is_new = same_domain(&seen, &to);
	struct translation *of = is_new ? &to : &from;

	KUNIT_EXPECT_TRUE(test, pasid_pte_is_present(view));
	KUNIT_EXPECT_FALSE(test, pasid_pte_is_fault_disabled(view));
	KUNIT_EXPECT_TRUE(test, same_domain(&seen, of));
	KUNIT_EXPECT_TRUE(test, is_new || !*moved);
	check_did(test, seen.did, of, is_new ? &from : &to);
	/* Stale memory would be walked, or memory left stale. */
	KUNIT_EXPECT_TRUE(test, seen.walk_snoop || !of->walk_snoop);
	KUNIT_EXPECT_TRUE(test, seen.page_snoop || !of->page_snoop);
	*moved = is_new;
}

static void check_replace(struct kunit *test, struct pasid_entry *old, struct pasid_entry *new)
{
	struct intel_liveupdate_flush flush;
	struct intel_liveupdate_plan plan;
	struct translation seen;
	struct views views;
	bool moved = false;
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, plan_replace(old, new, &plan));
	play(test, old, &plan, &views);
	intel_liveupdate_plan_flush(old, new, TRANSIT_DID, false, &flush);
	for (i = 0; i < views.nr; i++) {
		check_view(test, &views.entries[i], old, new, &moved);
		seen = look(&views.entries[i]);
		KUNIT_EXPECT_TRUE(test, seen.did == NEW_DID || is_flushed(&flush, &seen));
	}
	KUNIT_EXPECT_TRUE(test, moved);
	KUNIT_EXPECT_MEMEQ(test, &views.entries[views.nr - 1], new, sizeof(*new));
}

/* All kinds to all kinds: never a view that is neither old nor new. */
static void test_replace_is_hitless(struct kunit *test)
{
	struct pasid_entry old, new;
	unsigned int from, to;

	for (from = 0; from < NR_KINDS; from++) {
		for (to = 0; to < NR_KINDS; to++) {
			make_entry(&old, from, OLD_TABLE, OLD_DID);
			make_entry(&new, to, NEW_TABLE, NEW_DID);
			check_replace(test, &old, &new);
		}
	}
}

/* Whatever two chunks hardware combines, a first-stage entry never lacks its table. */
static void test_first_stage_has_its_table(struct kunit *test)
{
	struct pasid_entry old, new, torn;
	struct intel_liveupdate_plan plan;
	struct translation seen;
	struct views views;
	unsigned int i;

	make_second(&old, OLD_TABLE, OLD_DID, 2, 2);
	make_first(&new, NEW_TABLE, NEW_DID, 5, 1);
	KUNIT_ASSERT_TRUE(test, plan_replace(&old, &new, &plan));
	play(test, &old, &plan, &views);
	KUNIT_ASSERT_EQ(test, plan.nr_steps, 2);
	/* Chunks read before and after one step; what's before was flushed. */
	for (i = 1; i < views.nr; i++) {
		torn = views.entries[i];
		memcpy(&torn.val[2], &views.entries[i - 1].val[2], 2 * sizeof(u64));
		seen = look(&torn);
		KUNIT_EXPECT_EQ(test, seen.table, i == 2 ? NEW_TABLE : OLD_TABLE);
		torn = views.entries[i - 1];
		memcpy(&torn.val[2], &views.entries[i].val[2], 2 * sizeof(u64));
		seen = look(&torn);
		KUNIT_EXPECT_EQ(test, seen.table, OLD_TABLE);
	}
}

static void test_replace_takes_one_step(struct kunit *test)
{
	struct intel_liveupdate_plan plan;
	struct pasid_entry old, new;

	make_second(&old, OLD_TABLE, OLD_DID, 1, 2);
	make_second(&new, NEW_TABLE, NEW_DID, 2, 3);
	KUNIT_ASSERT_TRUE(test, plan_replace(&old, &new, &plan));
	KUNIT_EXPECT_EQ(test, plan.nr_steps, 1);
	KUNIT_EXPECT_EQ(test, plan.steps[0].chunk, 0);
	/* The pointer of the first stage must not be left behind. */
	make_first(&old, OLD_TABLE, OLD_DID, 4, 1);
	KUNIT_ASSERT_TRUE(test, plan_replace(&old, &new, &plan));
	KUNIT_ASSERT_EQ(test, plan.nr_steps, 2);
	KUNIT_EXPECT_EQ(test, plan.steps[1].chunk, 1);
	KUNIT_EXPECT_EQ(test, plan.steps[1].lo, 0);
}

static void test_replace_refuses_other_types(struct kunit *test)
{
	static const u64 types[] = { 0, PASID_ENTRY_PGTT_NESTED, PASID_ENTRY_PGTT_PT, 7 };
	struct intel_liveupdate_plan plan;
	struct pasid_entry paging, other;
	unsigned int i;

	make_second(&paging, OLD_TABLE, OLD_DID, 2, 2);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		make_second(&other, NEW_TABLE, NEW_DID, 2, 2);
		pasid_set_translation_type(&other, types[i]);
		KUNIT_EXPECT_FALSE(test, plan_replace(&paging, &other, &plan));
		KUNIT_EXPECT_FALSE(test, plan_replace(&other, &paging, &plan));
	}
	other = paging;
	other.val[0] &= ~1ULL;
	KUNIT_EXPECT_FALSE(test, plan_replace(&other, &paging, &plan));
}

static void expect_flush(struct kunit *test, const struct intel_liveupdate_flush *flush,
			 unsigned int position, u16 did, bool first_stage)
{
	KUNIT_ASSERT_LT(test, position, flush->nr_dids);
	KUNIT_EXPECT_EQ(test, flush->dids[position].did, did);
	KUNIT_EXPECT_EQ(test, flush->dids[position].first_stage, first_stage);
}

static void test_flush_of_each_pair(struct kunit *test)
{
	struct intel_liveupdate_flush flush;
	struct pasid_entry old, new;
	unsigned int pair;
	bool from, to;

	for (pair = 0; pair < 4; pair++) {
		from = pair & 1;
		to = pair & 2;
		make_entry(&old, from ? 0 : 8, OLD_TABLE, OLD_DID);
		make_entry(&new, to ? 0 : 8, NEW_TABLE, NEW_DID);
		intel_liveupdate_plan_flush(&old, &new, TRANSIT_DID, false, &flush);
		KUNIT_EXPECT_EQ(test, flush.nr_dids, from && to ? 2 : 1);
		expect_flush(test, &flush, 0, OLD_DID, from);
		if (from && to)
			expect_flush(test, &flush, 1, TRANSIT_DID, true);
		intel_liveupdate_plan_flush(&old, &new, TRANSIT_DID, true, &flush);
		KUNIT_EXPECT_EQ(test, flush.nr_dids, from && to ? 3 : 2);
		expect_flush(test, &flush, 0, OLD_DID, from);
		expect_flush(test, &flush, flush.nr_dids - 1, NEW_DID, to);
	}
}

static void test_context_keeps_its_type(struct kunit *test)
{
	struct context_entry old, new;
	u64 type;

	for (type = CONTEXT_TT_MULTI_LEVEL; type <= CONTEXT_TT_DEV_IOTLB; type++) {
		old.lo = OLD_TABLE | type << 2 | 1;
		old.hi = OLD_DID << 8 | 1;
		KUNIT_ASSERT_TRUE(test, intel_liveupdate_plan_context(&old, NEW_TABLE, 2, NEW_DID,
								      &new));
		KUNIT_EXPECT_EQ(test, new.lo, NEW_TABLE | type << 2 | 1);
		KUNIT_EXPECT_EQ(test, new.hi, (u64)NEW_DID << 8 | 2);
	}
	old.lo = OLD_TABLE | CONTEXT_TT_PASS_THROUGH << 2 | 1;
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_plan_context(&old, NEW_TABLE, 2, NEW_DID, &new));
	old.lo = OLD_TABLE;
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_plan_context(&old, NEW_TABLE, 2, NEW_DID, &new));
}

/* What is needed of a device and its unit to tag what caches have of it. */
struct tagged {
	struct dmar_domain old;
	struct dmar_domain new;
	struct intel_iommu iommu;
	struct device_domain_info info;
	struct dev_iommu param;
	struct device dev;
};

static void init_domain(struct dmar_domain *domain)
{
	INIT_LIST_HEAD(&domain->cache_tags);
	spin_lock_init(&domain->cache_lock);
}

static struct tagged *make_tagged(struct kunit *test)
{
	struct tagged *tagged = kunit_kzalloc(test, sizeof(*tagged), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tagged);
	init_domain(&tagged->old);
	init_domain(&tagged->new);
	tagged->info.iommu = &tagged->iommu;
	tagged->info.ats_enabled = 1;
	tagged->dev.iommu = &tagged->param;
	tagged->param.priv = &tagged->info;
	return tagged;
}

/* All that @did has cached of a PASID is flushed with the domain, the device-TLB last. */
static bool flushes(struct dmar_domain *domain, u16 did, u32 pasid)
{
	bool iotlb = false, device_tlb = false;
	struct cache_tag *tag;

	list_for_each_entry(tag, &domain->cache_tags, node) {
		if (tag->pasid != pasid)
			continue;
		if (tag->type == CACHE_TAG_DEVTLB) {
			device_tlb = iotlb;
		} else if (tag->domain_id == did) {
			iotlb = true;
			device_tlb = false;
		}
	}
	return iotlb && device_tlb;
}

static void test_transit_is_flushed(struct kunit *test)
{
	struct tagged *tagged = make_tagged(test);
	struct dmar_domain *old = &tagged->old, *new = &tagged->new;
	u32 pasid;

	for (pasid = IOMMU_NO_PASID; pasid < 2; pasid++) {
		KUNIT_ASSERT_EQ(test, 0, __cache_tag_assign_domain(old, OLD_DID, &tagged->dev,
								   pasid));
		KUNIT_ASSERT_EQ(test, 0, __cache_tag_assign_domain(new, NEW_DID, &tagged->dev,
								   pasid));
		KUNIT_ASSERT_EQ(test, 0, intel_liveupdate_tag_transit(old, new, TRANSIT_DID,
								      &tagged->dev, pasid));
		KUNIT_EXPECT_TRUE(test, flushes(old, OLD_DID, pasid));
		KUNIT_EXPECT_TRUE(test, flushes(new, NEW_DID, pasid));
		KUNIT_EXPECT_TRUE(test, flushes(old, TRANSIT_DID, pasid));
		KUNIT_EXPECT_TRUE(test, flushes(new, TRANSIT_DID, pasid));
		intel_liveupdate_untag_transit(old, new, TRANSIT_DID, &tagged->dev, pasid);
		KUNIT_EXPECT_FALSE(test, flushes(old, TRANSIT_DID, pasid));
		KUNIT_EXPECT_FALSE(test, flushes(new, TRANSIT_DID, pasid));
		KUNIT_EXPECT_TRUE(test, flushes(new, NEW_DID, pasid));
		__cache_tag_unassign_domain(old, OLD_DID, &tagged->dev, pasid);
		__cache_tag_unassign_domain(new, NEW_DID, &tagged->dev, pasid);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&old->cache_tags));
	KUNIT_EXPECT_TRUE(test, list_empty(&new->cache_tags));
	kfree(old->qi_batch);
	kfree(new->qi_batch);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(test_replace_is_hitless),
	KUNIT_CASE(test_first_stage_has_its_table),
	KUNIT_CASE(test_replace_takes_one_step),
	KUNIT_CASE(test_replace_refuses_other_types),
	KUNIT_CASE(test_flush_of_each_pair),
	KUNIT_CASE(test_context_keeps_its_type),
	KUNIT_CASE(test_transit_is_flushed),
	{}
};

static struct kunit_suite suite = {
	.name = "iommu-liveupdate-vtd",
	.test_cases = cases,
};

kunit_test_suite(suite);
