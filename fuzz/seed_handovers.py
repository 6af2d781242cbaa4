# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Small handovers that seeds are made from, as the independent writer's descriptions have them."""

LEGACY = """
unit u0 mode=legacy
domain d0 levels=3
domain d1 levels=4
map d0 0x1000 16K phys=0x40000000
map d0 0x5000 4K phys=0x40100000
map d1 0x200000 2M phys=0x40200000
device 00:04.0 domain=d0
device 00:05.0 domain=d1
"""
SCALABLE = """
unit u0 mode=scalable
domain d0 levels=4
domain d1 levels=4 stage=first
map d0 0x0 32K phys=0x40000000
map d1 0x7f0000000000 12K phys=0x41000000
device 00:04.0 domain=d0 pasid-entries=8192
device 00:15.0 domain=d1 pasid-entries=8192
"""
SPECIAL = """
unit u0 mode=scalable
unit u1 mode=legacy segment=1
domain d0
domain d1 stage=first levels=5
domain gone deleted
map d0 0x40000000 1G phys=0x40000000
map d1 0x1000 4K phys=0x60000000 perm=r
device 00:04.0 domain=d0 unit=u0 pasid-entries=8192 pasid=5:d1 alias=00:14.0
device 0001:00:05.0 domain=d0 unit=u1
device 00:06.0 domain=gone unit=u0 deleted
"""
