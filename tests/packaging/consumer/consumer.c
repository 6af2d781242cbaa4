// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a program of somebody else does first with the installed library.
 */
#include <stdio.h>

#include <iommuser/finding.h>
#include <iommuser/records.h>
#include <iommuser/version.h>
#include <kho/abi/iommuser.h>

int main(void)
{
	const struct iommuser_revision *revision = iommuser_revision_by_name("iommuser-v1");

	if (!revision || iommuser_finding_severity(IOMMUSER_FINDING_SEAL_ROOT) != IOMMUSER_ERROR)
		return 1;
	printf("%s %s\n", IOMMUSER_VERSION, revision->name);
	return 0;
}
