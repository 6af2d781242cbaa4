// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump --explain CODE.
 */
#include <stdio.h>

#include "commands.h"
#include "explain.h"
#include "model.h"
#include "text.h"

int explain_code(const struct options *options)
{
	enum iommuser_finding_id id = explain_find(options->explain);
	const struct explanation *explanation;
	struct json_object *object;

	if (id >= IOMMUSER_NR_FINDINGS) {
		fprintf(stderr,
			"iommu-kho-dump: --explain: '%s' is not a finding code (like CHAIN-03)\n",
			options->explain);
		return EXIT_USAGE;
	}
	explanation = explain_id(id);
	if (options_json(options)) {
		object = json_object_new_object();
		put_text(object, "code", iommuser_finding_code(id));
		put_text(object, "severity", severity_name(iommuser_finding_severity(id)));
		put_text(object, "meaning", explanation->meaning);
		put_text(object, "action", explanation->action);
		return print_json(options, object);
	}
	printf("%s (%s)\n\n", iommuser_finding_code(id),
	       severity_name(iommuser_finding_severity(id)));
	text_wrap(explanation->meaning, 2);
	puts("\nWhat to do");
	text_wrap(explanation->action, 2);
	return EXIT_OK;
}
