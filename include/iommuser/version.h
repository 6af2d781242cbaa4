/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The version of the library and the tools; formats have versions of their own.
 */
#ifndef IOMMUSER_VERSION_H
#define IOMMUSER_VERSION_H

#define IOMMUSER_VERSION "0.1.0"

#endif /* IOMMUSER_VERSION_H */
