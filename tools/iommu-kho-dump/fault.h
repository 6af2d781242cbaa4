/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What VT-d hardware reports when it refuses a request.
 */
#ifndef FAULT_H
#define FAULT_H

#include <iommuser/pagetable.h>

/*
 * Fault reasons, as in the specification's chapter 7 and in Linux's message
 * "[fault reason 0x..]". Those from 0x30 on are of scalable mode.
 */
#define FAULT_ROOT_NOT_PRESENT 0x01
#define FAULT_CONTEXT_NOT_PRESENT 0x02
#define FAULT_CONTEXT_INVALID 0x03
#define FAULT_BEYOND_WIDTH 0x04
#define FAULT_WRITE 0x05
#define FAULT_READ 0x06
#define FAULT_ENTRY_RESERVED 0x0c
#define FAULT_SCALABLE_ROOT_NOT_PRESENT 0x39
#define FAULT_SCALABLE_CONTEXT_NOT_PRESENT 0x41
#define FAULT_PASID_DISABLED 0x45
#define FAULT_PASID_TOO_LARGE 0x46
#define FAULT_RID_PASID 0x48
#define FAULT_DIRECTORY_NOT_PRESENT 0x51
#define FAULT_PASID_NOT_PRESENT 0x59
#define FAULT_PASID_INVALID 0x5b
#define FAULT_FIRST_NOT_PRESENT 0x71
#define FAULT_FIRST_RESERVED 0x72
#define FAULT_SECOND_PERMISSION 0x79
#define FAULT_SECOND_RESERVED 0x7a
#define FAULT_NOT_CANONICAL 0x80
#define FAULT_SCALABLE_BEYOND_WIDTH 0x83
#define FAULT_FIRST_WRITE 0x85

/** fault_text - a fault reason in words */
const char *fault_text(u32 reason);

/**
 * fault_of_translation - what the hardware reports for a request
 * @table: what it walks
 * @scalable: mode of the unit
 * @error: as iommuser_pt_translate() returned it, not -IOMMUSER_EUNMAPPED
 * @translation: what it filled
 * @write: the request is a write
 *
 * Return: the fault reason, 0 when the request goes through.
 */
u32 fault_of_translation(const struct iommuser_pt_table *table, bool scalable, int error,
			 const struct iommuser_pt_translation *translation, bool write);

#endif /* FAULT_H */
