// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Commands of the agent for other processes: programs, and copies of the agent itself, which play
 * virtual machine monitors that can be killed.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 32

/**
 * struct process - a child
 * @name: empty for a free slot
 * @id: process id
 * @commands: where a copy of the agent takes its commands, or -1 for a program
 * @answers: where it answers
 * @ended: it was waited for
 * @status: of waitpid() then
 */
struct process {
	char name[AGENT_NAME_MAX];
	pid_t id;
	int commands;
	int answers;
	bool ended;
	int status;
};

static struct process processes[PROCESSES];

static struct process *find_process(const char *name)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		if (processes[i].name[0] && !strcmp(processes[i].name, name))
			return &processes[i];
	return NULL;
}

static int new_process(struct call *call, const char *name, struct process **process)
{
	struct process *slot = processes;

	while (slot < processes + PROCESSES && slot->name[0])
		slot++;
	if (slot == processes + PROCESSES || find_process(name) || strlen(name) >= AGENT_NAME_MAX ||
	    strchr(name, '/'))
		return refuse(call, EBADMSG, "name taken or too long, or too many processes");
	memset(slot, 0, sizeof(*slot));
	slot->commands = -1;
	slot->answers = -1;
	*process = slot;
	return 0;
}

static void output_path(const char *name, char path[64])
{
	snprintf(path, 64, "/tmp/output-%s", name);
}

/* fork NAME [OBJECT...]: a copy of the agent that has only these open; "in NAME COMMAND" has it work */
static int run_fork(struct call *call)
{
	struct process *process;
	int commands[2], answers[2];
	int err = new_process(call, call->words[0], &process);

	if (err)
		return err;
	if (pipe2(commands, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(answers, O_CLOEXEC) < 0) {
		err = -errno;
		goto close_commands;
	}
	process->id = fork();
	if (process->id < 0) {
		err = -errno;
		goto close_answers;
	}
	if (!process->id) {
		close(commands[1]);
		close(answers[0]);
		become_copy(call, commands[0], answers[1]);
	}
	close(commands[0]);
	close(answers[1]);
	process->commands = commands[1];
	process->answers = answers[0];
	strcpy(process->name, call->words[0]);
	return 0;

close_answers:
	close(answers[0]);
	close(answers[1]);
close_commands:
	close(commands[0]);
	close(commands[1]);
	return err;
}

static int send_all(int port, const char *bytes, size_t count)
{
	while (count) {
		ssize_t put = write(port, bytes, count);

		if (put < 0)
			return -errno;
		bytes += put;
		count -= (size_t)put;
	}
	return 0;
}

/* The answer of a copy, without its newline. */
static int receive_line(int port, char *line, size_t room, size_t *length)
{
	size_t used = 0;
	char *end = NULL;

	while (!end) {
		ssize_t got = read(port, line + used, room - 1 - used);

		if (got < 0)
			return -errno;
		if (!got)
			return -EPIPE;
		end = memchr(line + used, '\n', (size_t)got);
		used += (size_t)got;
	}
	*length = (size_t)(end - line);
	line[*length] = 0;
	return 0;
}

/*
 * Pass a command on to a copy. Its answer comes as the copy gave it, which has the form of ours.
 */
int forward_command(const char *name, const char *command, char *answer, size_t room,
		    size_t *length)
{
	struct process *process = find_process(name);
	int err;

	if (!process || process->commands < 0)
		return -ESRCH;
	err = send_all(process->commands, command, strlen(command));
	if (!err)
		err = send_all(process->commands, "\n", 1);
	return err ? err : receive_line(process->answers, answer, room, length);
}

static void __attribute__((noreturn)) become_program(struct call *call, int output)
{
	char *words[AGENT_WORDS + 1];
	unsigned int i;

	for (i = 1; i < call->count; i++)
		words[i - 1] = call->words[i];
	words[call->count - 1] = NULL;
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execv(words[0], words);
	_exit(127);
}

/* spawn NAME PROGRAM WORDS...: start a program; what it prints is kept for "output NAME" */
static int run_spawn(struct call *call)
{
	struct process *process;
	char path[64];
	int output, err = new_process(call, call->words[0], &process);

	if (err)
		return err;
	output_path(call->words[0], path);
	output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (output < 0)
		return -errno;
	process->id = fork();
	if (!process->id)
		become_program(call, output);
	err = process->id < 0 ? -errno : 0;
	close(output);
	if (!err)
		strcpy(process->name, call->words[0]);
	return err;
}

static int process_at(struct call *call, struct process **process)
{
	*process = find_process(call->words[0]);
	return *process ? 0 : refuse(call, EBADMSG, "no process of that name");
}

/* output NAME: what a program has printed so far */
static int run_output(struct call *call)
{
	struct process *process;
	char path[64], *text;
	ssize_t got;
	int fd, err = process_at(call, &process);

	if (err)
		return err;
	output_path(process->name, path);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	text = malloc(1U << 20);
	got = text ? read(fd, text, 1U << 20) : -1;
	if (got >= 0)
		reply_hex(call, text, (size_t)got);
	err = !text ? -ENOMEM : got < 0 ? -errno : 0;
	free(text);
	close(fd);
	return err;
}

static int reap(struct process *process, uint64_t timeout_ms)
{
	uint64_t waited;

	for (waited = 0; !process->ended; waited += 5) {
		pid_t id = waitpid(process->id, &process->status, WNOHANG);

		if (id < 0)
			return -errno;
		process->ended = id == process->id;
		if (process->ended)
			break;
		if (waited >= timeout_ms)
			return -ETIMEDOUT;
		usleep(5000);
	}
	return 0;
}

/* wait NAME [timeout=MS]: until it has ended; its exit status, or "signal NUMBER" */
static int run_wait(struct call *call)
{
	struct process *process;
	uint64_t timeout;
	int err;

	if ((err = process_at(call, &process)) ||
	    (err = number_option(call, "timeout", 10000, &timeout)) ||
	    (err = reap(process, timeout)))
		return err;
	if (WIFSIGNALED(process->status))
		reply(call, " signal %d", WTERMSIG(process->status));
	else
		reply(call, " %d", WEXITSTATUS(process->status));
	return 0;
}

/* kill NAME: end it where it stands, and wait until all that it had open is closed */
static int run_kill(struct call *call)
{
	struct process *process;
	int err = process_at(call, &process);

	if (err)
		return err;
	if (!process->ended && kill(process->id, SIGKILL) < 0)
		return -errno;
	err = reap(process, 60000);
	if (err)
		return err;
	if (process->commands >= 0) {
		close(process->commands);
		close(process->answers);
	}
	process->name[0] = 0;
	return 0;
}

/* clang-format off */
const struct command process_commands[] = {
	{ "fork", 1, run_fork },
	{ "spawn", 2, run_spawn },
	{ "output", 1, run_output },
	{ "wait", 1, run_wait },
	{ "kill", 1, run_kill },
	{ 0 },
};
/* clang-format on */
