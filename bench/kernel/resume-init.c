// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * First program of the second kernel when a takeover is measured as a whole: it makes the device
 * nodes visible and becomes the example of a virtual machine monitor.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(void)
{
	int output = open("/output", O_WRONLY | O_CREAT, 0600);

	/* The monitor's lines cost more on a serial port than all that is measured. */
	if (output < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0) {
		perror("resume-init");
		return 1;
	}
	execl("/live-update-vmm", "live-update-vmm", "resume", "vm-1", (char *)NULL);
	perror("resume-init");
	return 1;
}
