/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * QEMU's educational device, as far as the programs in the guests use it: it
 * copies between its buffer and memory. Registers are offsets in BAR 0.
 */
#ifndef TEST_KERNEL_EDU_H
#define TEST_KERNEL_EDU_H

#define EDU_IDENTITY 0x00
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_TARGET 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_START 1UL
#define EDU_DMA_TO_RAM 2UL
#define EDU_BUFFER 0x40000UL
#define EDU_BUSY_MS 5000

#endif /* TEST_KERNEL_EDU_H */
