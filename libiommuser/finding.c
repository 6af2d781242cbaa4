// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The table of finding codes and their default severities.
 */
#include <iommuser/finding.h>

#define CODE_LENGTH 12

struct finding_row {
	char code[CODE_LENGTH - 1];
	u8 severity;
};

#define FINDING_ROW(symbol, code, severity) \
	[IOMMUSER_FINDING_##symbol] = { code, IOMMUSER_##severity },

static const struct finding_row rows[IOMMUSER_NR_FINDINGS] = { IOMMUSER_FINDINGS(FINDING_ROW) };

const char *iommuser_finding_code(enum iommuser_finding_id id)
{
	if ((unsigned int)id >= IOMMUSER_NR_FINDINGS)
		return NULL;
	return rows[id].code;
}

enum iommuser_severity iommuser_finding_severity(enum iommuser_finding_id id)
{
	return (enum iommuser_severity)rows[id].severity;
}
