// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump --explain CODE.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "explain.h"
#include "model.h"
#include "text.h"

static const char *const severities[] = { "error", "warning", "info", NULL };

static const struct output_field explanation_fields[] = {
	OUTPUT_FIELD("code", OUTPUT_TEXT, "of the finding"),
	OUTPUT_FIELD("severity", OUTPUT_TEXT, "how bad it is, most often", .values = severities),
	OUTPUT_FIELD("gap", OUTPUT_FLAG, "it makes the verdict \"incomplete\""),
	OUTPUT_FIELD("severity_text", OUTPUT_TEXT, "the same, and when it is another"),
	OUTPUT_FIELD("meaning", OUTPUT_TEXT, "what it means"),
	OUTPUT_FIELD("action", OUTPUT_TEXT, "what to do about it"),
	OUTPUT_FIELD("afterwards", OUTPUT_TEXT, "what to do once the kexec has happened",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELDS_END,
};

const struct output_object output_explanation = {
	.name = "explanation",
	.what = "of a finding",
	.fields = explanation_fields,
};

static struct json_object *model_explanation(enum iommuser_finding_id id)
{
	const struct explanation *explanation = explain_id(id);
	struct json_object *object = output_new(&output_explanation);

	put_text(object, "code", iommuser_finding_code(id));
	put_text(object, "severity", severity_name(iommuser_finding_severity(id)));
	put_flag(object, "gap", iommuser_finding_severity(id) == IOMMUSER_INCOMPLETE);
	put_text(object, "severity_text", severity_words(id));
	put_text(object, "meaning", explanation->meaning);
	put_text(object, "action", explanation->action);
	if (explain_afterwards(id))
		put_text(object, "afterwards", explain_afterwards(id));
	else
		put_null(object, "afterwards");
	return object;
}

int explain_code(const struct options *options)
{
	enum iommuser_finding_id id = explain_find(options->explain);
	const struct explanation *explanation;
	char code[256];

	if (id >= IOMMUSER_NR_FINDINGS) {
		fprintf(stderr,
			"iommu-kho-dump: --explain: '%s' is not a finding code (like CHAIN-03); "
			"docs/findings.md lists them\n",
			escape_text(options->explain, strlen(options->explain), code,
				    sizeof(code)));
		return EXIT_USAGE;
	}
	explanation = explain_id(id);
	if (options_json(options))
		return print_json(options, model_explanation(id));
	printf("%s (%s)\n\n", iommuser_finding_code(id), severity_words(id));
	text_wrap(explanation->meaning, 2);
	puts("\nWhat to do");
	text_wrap(explanation->action, 2);
	if (explain_afterwards(id)) {
		puts("\nOnce the kexec has happened");
		text_wrap(explain_afterwards(id), 2);
	}
	return EXIT_OK;
}
