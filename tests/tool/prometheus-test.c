// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of verdicts as metrics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iommuser/version.h>

#include "model.h"
#include "prometheus.h"

static char *printed;

static const char *print(const struct prometheus *metrics)
{
	size_t length;
	FILE *out;

	free(printed);
	out = open_memstream(&printed, &length);
	assert_non_null(out);
	prometheus_print(out, metrics);
	assert_int_equal(fclose(out), 0);
	return printed;
}

static void unreadable_images_have_a_verdict(void **state)
{
	const struct prometheus metrics = { .image = "live",
					    .status = "unreadable",
					    .time = 1795276822 };

	(void)state;
	assert_string_equal(
		print(&metrics),
		"# HELP iommu_kho_dump_build_info The tool that verified. Always 1.\n"
		"# TYPE iommu_kho_dump_build_info gauge\n"
		"iommu_kho_dump_build_info{version=\"" IOMMUSER_VERSION "\"} 1\n"
		"# HELP iommu_kho_dump_verify_status Verdict of the last verify: 1 for the one that "
		"holds. unreadable: no handover to read.\n"
		"# TYPE iommu_kho_dump_verify_status gauge\n"
		"iommu_kho_dump_verify_status{image=\"live\",status=\"ok\"} 0\n"
		"iommu_kho_dump_verify_status{image=\"live\",status=\"warnings\"} 0\n"
		"iommu_kho_dump_verify_status{image=\"live\",status=\"incomplete\"} 0\n"
		"iommu_kho_dump_verify_status{image=\"live\",status=\"errors\"} 0\n"
		"iommu_kho_dump_verify_status{image=\"live\",status=\"unreadable\"} 1\n"
		"# HELP iommu_kho_dump_verify_timestamp_seconds When verify ran, in seconds of Unix "
		"time.\n"
		"# TYPE iommu_kho_dump_verify_timestamp_seconds gauge\n"
		"iommu_kho_dump_verify_timestamp_seconds{image=\"live\"} 1795276822\n");
}

static void labels_are_escaped(void **state)
{
	const struct prometheus metrics = { .image = "a\"b\\c\nd", .status = "ok" };

	(void)state;
	assert_non_null(strstr(print(&metrics), "{image=\"a\\\"b\\\\c\\nd\",status=\"ok\"} 1\n"));
}

static void add(struct report *report, enum iommuser_finding_id id, enum iommuser_severity severity)
{
	const struct iommuser_finding finding = { .id = id, .severity = severity };

	report_finding(report, &finding);
}

static void findings_are_counted_by_code_and_severity(void **state)
{
	struct handover handover = { .origin = "at-jump", .report = report_new() };
	struct prometheus metrics = { .image = "x", .status = "errors", .handover = &handover };
	const char *text;

	(void)state;
	add(handover.report, IOMMUSER_FINDING_CHAIN_PARTIAL_PAGE, IOMMUSER_ERROR);
	add(handover.report, IOMMUSER_FINDING_CHAIN_PARTIAL_PAGE, IOMMUSER_ERROR);
	add(handover.report, IOMMUSER_FINDING_CHAIN_PARTIAL_PAGE, IOMMUSER_WARNING);
	add(handover.report, IOMMUSER_FINDING_PT_UNREADABLE, IOMMUSER_INCOMPLETE);
	metrics.checked = output_new(&output_checked);
	put_number(metrics.checked, "records", 12);
	text = print(&metrics);
	assert_non_null(strstr(text, "verify_findings{image=\"x\",severity=\"error\"} 2\n"));
	assert_non_null(strstr(text, "verify_findings{image=\"x\",severity=\"warning\"} 1\n"));
	assert_non_null(strstr(text, "verify_findings{image=\"x\",severity=\"gap\"} 1\n"));
	assert_non_null(strstr(text, "verify_findings{image=\"x\",severity=\"info\"} 0\n"));
	assert_non_null(strstr(text, "{image=\"x\",code=\"CHAIN-16\",severity=\"error\"} 2\n"));
	assert_non_null(strstr(text, "{image=\"x\",code=\"CHAIN-16\",severity=\"warning\"} 1\n"));
	assert_non_null(strstr(text, "severity=\"gap\"} 1\n"));
	assert_non_null(strstr(text, "verify_checked{image=\"x\",what=\"records\"} 12\n"));
	assert_non_null(strstr(
		text,
		"handover_info{image=\"x\",origin=\"at-jump\",abi=\"\",kernel_release=\"\"} 1\n"));
	/* What is not known has no metric. */
	assert_null(strstr(text, "liveupdate_number"));
	assert_null(strstr(text, "kexec_number"));
	json_object_put(metrics.checked);
	report_free(handover.report);
}

static int free_text(void **state)
{
	(void)state;
	free(printed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unreadable_images_have_a_verdict),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(findings_are_counted_by_code_and_severity),
	};

	return cmocka_run_group_tests(tests, NULL, free_text);
}
