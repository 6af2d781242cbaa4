// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The default severity of each finding.
 */
#include <iommuser/finding.h>

#define FINDING_SEVERITY(symbol, code, severity) [IOMMUSER_FINDING_##symbol] = IOMMUSER_##severity,

static const u8 severities[IOMMUSER_NR_FINDINGS] = { IOMMUSER_FINDINGS(FINDING_SEVERITY) };

enum iommuser_severity iommuser_finding_severity(enum iommuser_finding_id id)
{
	return (enum iommuser_severity)severities[id];
}
