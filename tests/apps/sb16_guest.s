# A guest for QEMU: a boot sector that plays what lies behind it on its disk through a Sound Blaster
# 16, over and over, for two seconds: 128 KiB of signed 16 bit, stereo, at 44.1 kHz. It is linked to
# lie at 0x7c00, where the BIOS puts it.

	.set RATE_HZ, 44100
	.set BUFFER, 0x20000		# a page of the 16 bit DMA controller: 128 KiB
	.set WORDS, 0x10000
	.set SECTORS, 64		# that one call of the BIOS reads
	.set READS, 4
	.set TICKS, 2 * 18		# of the BIOS's clock, about 18 a second
	.set CLOCK, 0x46c
	.set EXIT, 0xf4			# QEMU's isa-debug-exit
	.set EXIT_VALUE, 1

	.set SB_RESET, 0x226
	.set SB_READ, 0x22a
	.set SB_WRITE, 0x22c
	.set SB_READY, 0xaa

	.code16
	.globl _start
_start:
	xor %ax, %ax
	mov %ax, %ds

	# The BIOS left the drive's number in dl.
	mov $READS, %cx
read:
	mov $packet, %si
	mov $0x42, %ah
	int $0x13
	jc halt
	addl $SECTORS, sector
	addw $SECTORS * 512 / 16, segment
	loop read

	mov $SB_RESET, %dx
	mov $1, %al
	out %al, %dx
	xor %al, %al
	out %al, %dx
	mov $SB_READ, %dx
wait_ready:
	in %dx, %al
	cmp $SB_READY, %al
	jne wait_ready

	mov $dma, %si
	mov $(dma_end - dma) / 2, %cx
	xor %dh, %dh
set_dma:
	lodsb
	mov %al, %dl
	lodsb
	out %al, %dx
	loop set_dma

	mov $commands, %si
	mov $commands_end - commands, %cx
	mov $SB_WRITE, %dx
	rep outsb

	sti
	mov CLOCK, %bx
play:
	hlt
	mov CLOCK, %ax
	sub %bx, %ax
	cmp $TICKS, %ax
	jb play
	mov $EXIT_VALUE, %al
	out %al, $EXIT
halt:
	hlt
	jmp halt

	# What the BIOS is to read.
	.balign 4
packet:
	.byte 16, 0
	.word SECTORS, 0
segment:
	.word BUFFER / 16
sector:
	.long 1, 0

	# Ports and values: channel 5 takes the buffer from its start to its end, for ever.
dma:
	.byte 0xd4, 4 | 1		# off
	.byte 0xd8, 0			# low byte first
	.byte 0xd6, 0x58 | 1		# single transfers from memory, again at the end
	.byte 0xc4, BUFFER / 2 & 0xff
	.byte 0xc4, BUFFER / 2 >> 8 & 0xff
	.byte 0x8b, BUFFER >> 16
	.byte 0xc6, (WORDS - 1) & 0xff
	.byte 0xc6, (WORDS - 1) >> 8
	.byte 0xd4, 1			# on
dma_end:

commands:
	.byte 0x41, RATE_HZ >> 8, RATE_HZ & 0xff
	.byte 0xb6, 0x30, (WORDS - 1) & 0xff, (WORDS - 1) >> 8	# 16 bit, for ever; signed, stereo
commands_end:

	.org 510
	.word 0xaa55
