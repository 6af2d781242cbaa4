// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of progress: on a terminal, after a second, and wiped at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "progress.h"

#define MORE_THAN_A_SECOND 1100000

static char shown[1024];
static int terminal = -1;
static int saved = -1;

/* Stderr is @fd from now on. */
static void redirect(int fd)
{
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

static int setup_terminal(void **state)
{
	struct termios raw;
	int fd;

	(void)state;
	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	/* No terminals here: the tests say so. */
	if (terminal < 0)
		return 0;
	if (grantpt(terminal) || unlockpt(terminal))
		return -1;
	fd = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	if (fd < 0 || tcgetattr(fd, &raw))
		return -1;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw))
		return -1;
	redirect(fd);
	return 0;
}

static int restore(void **state)
{
	(void)state;
	if (saved >= 0) {
		dup2(saved, STDERR_FILENO);
		close(saved);
	}
	if (terminal >= 0)
		close(terminal);
	saved = -1;
	terminal = -1;
	return 0;
}

static const char *on_terminal(void)
{
	ssize_t length = read(terminal, shown, sizeof(shown) - 1);

	shown[length > 0 ? length : 0] = '\0';
	return shown;
}

static void terminal_shows_what_takes_long(void **state)
{
	(void)state;
	if (terminal < 0)
		skip();
	progress_show("doing", 1, "things");
	assert_string_equal(on_terminal(), "");
	usleep(MORE_THAN_A_SECOND);
	progress_show("doing", 2, "things");
	assert_string_equal(on_terminal(), "\rdoing: 2 things ");
	/* Ten times a second at most. */
	progress_show("doing", 3, "things");
	assert_string_equal(on_terminal(), "");
	progress_done();
	on_terminal();
	assert_int_equal(shown[0], '\r');
	assert_int_equal(strspn(shown + 1, " "), 78);
	assert_string_equal(shown + 79, "\r");
	/* Wiped once, and the next thing has a second of its own. */
	progress_done();
	progress_show("next", 1, "things");
	assert_string_equal(on_terminal(), "");
}

static int setup_file(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	if (!file)
		return -1;
	redirect(dup(fileno(file)));
	*state = file;
	return 0;
}

static void file_gets_nothing(void **state)
{
	FILE *file = *state;

	progress_done();
	progress_show("doing", 1, "things");
	usleep(MORE_THAN_A_SECOND);
	progress_show("doing", 2, "things");
	progress_done();
	assert_int_equal(lseek(fileno(file), 0, SEEK_END), 0);
	fclose(file);
}

static const void *map_nothing(void *ctx, u64 phys, u64 len)
{
	(void)ctx;
	(void)phys;
	(void)len;
	return NULL;
}

static u32 count_bytes(void *ctx, u32 crc, const void *data, u64 len)
{
	(void)ctx;
	(void)data;
	return crc + (u32)len;
}

static void read_some(const struct iommuser_env *env)
{
	int i;

	for (i = 0; i < 2048; i++)
		assert_null(env->map(env->ctx, 0, 8));
}

static void reads_show_while_they_are_for_something(void **state)
{
	const struct iommuser_env image = { .page_shift = 14,
					    .map = map_nothing,
					    .crc32 = count_bytes };
	struct progress_reads reads;
	struct iommuser_env env = progress_env(&reads, &image);

	(void)state;
	if (terminal < 0)
		skip();
	assert_int_equal(env.page_shift, 14);
	assert_int_equal(env.crc32(env.ctx, 1, NULL, 2), 3);
	progress_done();
	progress_show("waiting", 0, "things");
	usleep(MORE_THAN_A_SECOND);
	read_some(&env);
	assert_string_equal(on_terminal(), "");
	reads.doing = "verifying";
	read_some(&env);
	assert_string_equal(on_terminal(), "\rverifying: 2049 tables and pages read ");
	progress_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(terminal_shows_what_takes_long, setup_terminal,
						restore),
		cmocka_unit_test_setup_teardown(file_gets_nothing, setup_file, restore),
		cmocka_unit_test_setup_teardown(reads_show_while_they_are_for_something,
						setup_terminal, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
