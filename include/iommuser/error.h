/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Error codes of the library. Every function that can fail returns 0 or a
 * positive result on success and one of these, negated, on failure.
 */
#ifndef IOMMUSER_ERROR_H
#define IOMMUSER_ERROR_H

/**
 * enum iommuser_error - what went wrong, and whose fault it is
 *
 * Caller's fault:
 * @IOMMUSER_EINVAL: an argument is outside its documented range
 * @IOMMUSER_ENOSPC: the caller's buffer or table is too small
 * @IOMMUSER_EBUSY: the object is in a state that forbids the call, for
 *	example a record that was claimed before
 * @IOMMUSER_ENOENT: no such record
 * @IOMMUSER_ENODEV: a device that is needed has not come as far
 *
 * The environment's refusal:
 * @IOMMUSER_ENOMEM: the environment could not allocate a page
 * @IOMMUSER_EREFUSED: a callback of the environment refused an action
 *
 * Corrupt or foreign input:
 * @IOMMUSER_EUNMAPPED: an address that the environment does not map
 * @IOMMUSER_ECORRUPT: the image breaks a rule of its format
 * @IOMMUSER_EUNKNOWN: a revision or format major that is not known
 * @IOMMUSER_EMISMATCH: the image is sound but not for this unit
 *
 * The library's own fault:
 * @IOMMUSER_EINTERNAL: an assumption inside the library did not hold
 */
enum iommuser_error {
	IOMMUSER_EINVAL = 1,
	IOMMUSER_ENOSPC = 2,
	IOMMUSER_EBUSY = 3,
	IOMMUSER_ENOENT = 4,
	IOMMUSER_ENODEV = 5,
	IOMMUSER_ENOMEM = 10,
	IOMMUSER_EREFUSED = 11,
	IOMMUSER_EUNMAPPED = 20,
	IOMMUSER_ECORRUPT = 21,
	IOMMUSER_EUNKNOWN = 22,
	IOMMUSER_EMISMATCH = 23,
	IOMMUSER_EINTERNAL = 30,
};

#endif /* IOMMUSER_ERROR_H */
