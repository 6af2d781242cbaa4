// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failures on request while a handover is taken over. The IOMMU is set up
 * before user space could ask for failing allocations, so the command line
 * does:
 *
 *   iommu_liveupdate.fail_at=N		the Nth step of the claim fails
 *   iommu_liveupdate.fail_each=1	and then the next one, in a claim that is
 *					tried again, until one gets through
 *   iommu_liveupdate.fail_device=N	the Nth domain can't be made
 *   iommu_liveupdate.fail_handover=N	the Nth step from now of what iommufds ask
 *					for fails; also to be set at runtime
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/init.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>

#include "incoming.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate."

/* Steps that were come to, of the claim under way, of devices and of handing over. */
static unsigned int nr_claim_steps;
static unsigned int nr_device_steps;
static unsigned int nr_handover_steps;

static unsigned int fail_at;
module_param(fail_at, uint, 0444);

static bool fail_each;
module_param(fail_each, bool, 0444);

static unsigned int fail_device;
module_param(fail_device, uint, 0444);

static unsigned int fail_handover;

static int fail_handover_set(const char *value, const struct kernel_param *param)
{
	nr_handover_steps = 0;
	return param_set_uint(value, param);
}

static const struct kernel_param_ops fail_handover_ops = {
	.set = fail_handover_set,
	.get = param_get_uint,
};
module_param_cb(fail_handover, &fail_handover_ops, &fail_handover, 0600);

static bool hit(const char *step, unsigned int *nr_steps, unsigned int wanted)
{
	if (!wanted || ++*nr_steps != wanted)
		return false;
	pr_info("step %u fails as requested: %s\n", wanted, step);
	return true;
}

/**
 * iommu_incoming_inject() - must this step of the claim fail?
 * @step: what it is about
 */
bool iommu_incoming_inject(const char *step)
{
	return hit(step, &nr_claim_steps, fail_at);
}

/**
 * iommu_incoming_inject_device() - must this step of a device's restore fail?
 * @step: what it is about
 */
bool iommu_incoming_inject_device(const char *step)
{
	return hit(step, &nr_device_steps, fail_device);
}

/**
 * iommu_incoming_inject_handover() - must this step of an iommufd fail?
 * @step: what it is about
 */
bool iommu_incoming_inject_handover(const char *step)
{
	return hit(step, &nr_handover_steps, fail_handover);
}

/**
 * iommu_incoming_inject_again() - is the claim to be tried with the next step failing?
 * @error: what it came to
 */
bool iommu_incoming_inject_again(int error)
{
	bool again = fail_each && error && nr_claim_steps >= fail_at;

	if (fail_each && !error)
		pr_info("took over after each of %u steps failed\n", fail_at - 1);
	if (again)
		fail_at++;
	else
		fail_at = 0;
	nr_claim_steps = 0;
	return again;
}
