// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes docs/findings.md: each finding code with the words of --explain.
 */
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "report.h"

/* What an area is about, and what its codes have in common. */
static const struct {
	const char *name;
	const char *title;
	const char *text;
} areas[] = {
	{ "KHO", "Kexec HandOver",
	  "The root FDT, the memory map that says what is preserved, and the scratch regions." },
	{ "LUO", "the live update orchestrator",
	  "Sessions, files, file-lifecycle-bound data (FLB), and memfds. All that is written in the "
	  "reboot call: a dump of a running host has none of it yet." },
	{ "CHAIN", "pages of IOMMU records", "The lists of pages that hold the records." },
	{ "REC", "IOMMU records", "The root and each record for itself." },
	{ "REF", "references", "Records against one another, and against the files of sessions." },
	{ "DID", "domain IDs", "The IDs that the hardware tags cached translations with." },
	{ "VTD", "tables of VT-d", "Root, context and PASID tables, against the records." },
	{ "PT", "page tables", "What devices' addresses are translated by." },
	{ "CLOSURE", "what is preserved",
	  "Is everything preserved that hardware or the next kernel will reach? Only an image that "
	  "holds KHO's memory map can tell; the streams of debugfs do not." },
	{ "SEAL", "checksums", "The CRC-32 of the root and of each page of records." },
};

/* Text is put into Markdown as it is, but for what would be read as markup. */
static void put_character(char c)
{
	if (strchr("<>*|`", c))
		putchar('\\');
	putchar(c);
}

static void put_text(const char *text)
{
	for (; *text; text++)
		put_character(*text);
}

/* A message with names for its placeholders. */
static void put_message(const char *text)
{
	for (; *text; text++) {
		if (*text != '%') {
			put_character(*text);
			continue;
		}
		switch (*++text) {
		case 'f':
		case 'e':
			fputs("*0x...*", stdout);
			break;
		case 'r':
			fputs("*record*", stdout);
			break;
		case 'n':
			fputs("*field*", stdout);
			break;
		case 'd':
			fputs("*name*", stdout);
			break;
		case '%':
			putchar('%');
			break;
		default:
			fputs("*n*", stdout);
			break;
		}
	}
}

static bool is_of_area(enum iommuser_finding_id id, const char *area)
{
	const char *code = iommuser_finding_code(id);

	return !strncmp(code, area, strlen(area)) && code[strlen(area)] == '-';
}

/* What most codes of an area have in common; NULL when they have nothing. */
static const char *common_afterwards(const char *area)
{
	unsigned int id, other, uses, most = 1;
	const char *text, *common = NULL;

	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		text = explain_afterwards((enum iommuser_finding_id)id);
		uses = 0;
		for (other = 0; text && other < IOMMUSER_NR_FINDINGS; other++)
			uses += is_of_area((enum iommuser_finding_id)other, area) &&
				explain_afterwards((enum iommuser_finding_id)other) == text;
		if (uses > most) {
			most = uses;
			common = text;
		}
	}
	return common;
}

static void put_code(enum iommuser_finding_id id, const char *common)
{
	const struct explanation *words = explain_id(id);
	const char *afterwards = explain_afterwards(id);

	printf("\n### %s\n\n**%s**: ", iommuser_finding_code(id), severity_words(id));
	put_message(words->message);
	fputs("\n\n", stdout);
	put_text(words->meaning);
	fputs("\n\n- What to do: ", stdout);
	put_text(words->action);
	putchar('\n');
	if (afterwards && afterwards != common) {
		fputs("- Once the kexec has happened: ", stdout);
		put_text(afterwards);
		putchar('\n');
	}
}

/* In the order of their numbers, which need not be that of the ids. */
static unsigned int put_area(size_t area)
{
	const char *common = common_afterwards(areas[area].name);
	unsigned int id, number, found = 0;
	char code[32];

	printf("\n## %s: %s\n\n%s\n", areas[area].name, areas[area].title, areas[area].text);
	if (common) {
		fputs("\n*Once the kexec has happened*, where nothing else is said for an error: ",
		      stdout);
		put_text(common);
		putchar('\n');
	}
	for (number = 1; number < 100; number++) {
		snprintf(code, sizeof(code), "%s-%02u", areas[area].name, number);
		id = explain_find(code);
		if (id == IOMMUSER_NR_FINDINGS ||
		    !is_of_area((enum iommuser_finding_id)id, areas[area].name))
			continue;
		put_code((enum iommuser_finding_id)id, common);
		found++;
	}
	return found;
}

static const char head[] =
	"# What to do when verify says X\n"
	"\n"
	"<!-- Written by tests/docs/findings.py --rewrite, out of tools/iommu-kho-dump/explain.c. -->\n"
	"\n"
	"One section for each finding code, with the words of `iommu-kho-dump --explain CODE`. How to take an\n"
	"image in the first place is in [capture.md](capture.md).\n"
	"\n"
	"**Before the kexec** an error means: do not start it. Nothing is lost as long as the old kernel runs;\n"
	"guests go on. Warnings and information do not stop a live update. A *gap* means that the image lacks something\n"
	"that is needed. The verdict is then INCOMPLETE, as it is, without any finding, when there was nothing to check: take\n"
	"a better image, and do not take it for a yes.\n"
	"\n"
	"**When the kernel refuses to preserve** a file with EIO, its log names a code too. Nothing was\n"
	"preserved then and the guest goes on; what is said under *What to do* holds.\n"
	"\n"
	"**When the next kernel's log or panic names a code**, the kexec has happened and there is no way back: go by\n"
	"*Once the kexec has happened*, which stands at the head of each area. The line is like `iommu: liveupdate: the handover can't be used:\n"
	"SEAL-02: validation (-5)`; up to 32 findings stand above it.\n"
	"\n"
	"| severity | verify says | exit status | live update |\n"
	"| --- | --- | --- | --- |\n"
	"| error | ERRORS | 1 | no |\n"
	"| gap | INCOMPLETE | 1 | not on the strength of this image |\n"
	"| warning | WARNINGS | 0 | yes; look at it by daylight |\n"
	"| info | OK | 0 | yes |\n"
	"\n"
	"The severity stands before each sentence below; where findings of one code differ, what makes the difference\n"
	"stands beside it. In JSON a gap has the severity `warning`, and `gap` is true.\n";

int main(void)
{
	unsigned int found = 0;
	size_t area;

	fputs(head, stdout);
	for (area = 0; area < sizeof(areas) / sizeof(areas[0]); area++)
		found += put_area(area);
	if (found != IOMMUSER_NR_FINDINGS) {
		fprintf(stderr, "%u of %d codes are of a known area\n", found,
			IOMMUSER_NR_FINDINGS);
		return 1;
	}
	return fflush(stdout) ? 1 : 0;
}
