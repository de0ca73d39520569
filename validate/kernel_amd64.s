#include "textflag.h"

// Y0 is the mask without the sign; Y1 to Y4 keep the largest magnitude, as integers, of what passed by.
#define LARGEST(MAX, STEP) \
	MOVQ  x+0(FP), SI;       \
	MOVQ  n+8(FP), CX;       \
	VPXOR Y1, Y1, Y1;        \
	VPXOR Y2, Y2, Y2;        \
	VPXOR Y3, Y3, Y3;        \
	VPXOR Y4, Y4, Y4;        \
loop:                            \
	VPAND (SI), Y0, Y5;      \
	VPAND 32(SI), Y0, Y6;    \
	VPAND 64(SI), Y0, Y7;    \
	VPAND 96(SI), Y0, Y8;    \
	MAX   Y5, Y1, Y1;        \
	MAX   Y6, Y2, Y2;        \
	MAX   Y7, Y3, Y3;        \
	MAX   Y8, Y4, Y4;        \
	ADDQ  $128, SI;          \
	SUBQ  $STEP, CX;         \
	JNZ   loop;              \
	MAX   Y2, Y1, Y1;        \
	MAX   Y4, Y3, Y3;        \
	MAX   Y3, Y1, Y1

// func finite32(x *float32, n int) bool
TEXT ·finite32(SB), NOSPLIT, $0-17
	MOVL         $0x7fffffff, AX
	MOVQ         AX, X0
	VPBROADCASTD X0, Y0
	LARGEST(VPMAXUD, 32)
	MOVL         $0x7f7fffff, AX
	MOVQ         AX, X2
	VPBROADCASTD X2, Y2
	VPCMPGTD     Y2, Y1, Y1
	VPTEST       Y1, Y1
	SETEQ        ret+16(FP)
	VZEROUPPER
	RET

// func finite16(x *uint16, n int) bool
TEXT ·finite16(SB), NOSPLIT, $0-17
	MOVL         $0x7fff7fff, AX
	MOVQ         AX, X0
	VPBROADCASTD X0, Y0
	LARGEST(VPMAXUW, 64)
	MOVL         $0x7f7f7f7f, AX
	MOVQ         AX, X2
	VPBROADCASTD X2, Y2
	VPCMPGTW     Y2, Y1, Y1
	VPTEST       Y1, Y1
	SETEQ        ret+16(FP)
	VZEROUPPER
	RET

// func finite64(x *float64, n int) bool
TEXT ·finite64(SB), NOSPLIT, $0-17
	MOVQ         x+0(FP), SI
	MOVQ         n+8(FP), CX
	MOVQ         $0x7fffffffffffffff, AX
	MOVQ         AX, X0
	VPBROADCASTQ X0, Y0
	MOVQ         $0x7fefffffffffffff, AX
	MOVQ         AX, X9
	VPBROADCASTQ X9, Y9
	VPXOR        Y1, Y1, Y1
	VPXOR        Y2, Y2, Y2
loop:
	VPAND        (SI), Y0, Y5
	VPAND        32(SI), Y0, Y6
	VPAND        64(SI), Y0, Y7
	VPAND        96(SI), Y0, Y8
	VPCMPGTQ     Y9, Y5, Y5
	VPCMPGTQ     Y9, Y6, Y6
	VPCMPGTQ     Y9, Y7, Y7
	VPCMPGTQ     Y9, Y8, Y8
	VPOR         Y5, Y6, Y5
	VPOR         Y7, Y8, Y7
	VPOR         Y5, Y1, Y1
	VPOR         Y7, Y2, Y2
	ADDQ         $128, SI
	SUBQ         $16, CX
	JNZ          loop
	VPOR         Y1, Y2, Y1
	VPTEST       Y1, Y1
	SETEQ        ret+16(FP)
	VZEROUPPER
	RET

// Of the 8 deviations in Y12 and Y13: sums in Y2 and Y3, sums of squares in Y4 and Y5. Products and sums round by
// themselves, as in the portable code.
#define DEVIATIONS \
	VSUBPD Y0, Y12, Y12; \
	VSUBPD Y0, Y13, Y13; \
	VADDPD Y12, Y2, Y2;  \
	VADDPD Y13, Y3, Y3;  \
	VMULPD Y12, Y12, Y12; \
	VMULPD Y13, Y13, Y13; \
	VADDPD Y12, Y4, Y4;  \
	VADDPD Y13, Y5, Y5

// func describe32(l *lanes32, x *float32, n int, pivot float64)
TEXT ·describe32(SB), NOSPLIT, $0-32
	MOVQ         l+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSD pivot+24(FP), Y0
	VMOVUPD      (DI), Y2
	VMOVUPD      32(DI), Y3
	VMOVUPD      64(DI), Y4
	VMOVUPD      96(DI), Y5
	VMOVUPS      128(DI), Y6      // smallest
	VMOVUPS      160(DI), Y7      // largest
	VMOVDQU      192(DI), Y8      // zeros
	VMOVDQU      224(DI), Y9      // zeros and subnormals
	MOVL         $0x7fffffff, AX
	MOVQ         AX, X10
	VPBROADCASTD X10, Y10
	MOVL         $0x00800000, AX
	MOVQ         AX, X11
	VPBROADCASTD X11, Y11
	VPXOR        Y15, Y15, Y15
loop:
	VMOVUPS      (SI), Y1
	VCVTPS2PD    (SI), Y12
	VCVTPS2PD    16(SI), Y13
	VMINPS       Y6, Y1, Y6
	VMAXPS       Y7, Y1, Y7
	VPAND        Y10, Y1, Y1
	VPCMPEQD     Y15, Y1, Y14
	VPCMPGTD     Y1, Y11, Y1
	VPSUBD       Y14, Y8, Y8
	VPSUBD       Y1, Y9, Y9
	DEVIATIONS
	ADDQ         $32, SI
	SUBQ         $8, CX
	JNZ          loop
	VMOVUPD      Y2, (DI)
	VMOVUPD      Y3, 32(DI)
	VMOVUPD      Y4, 64(DI)
	VMOVUPD      Y5, 96(DI)
	VMOVUPS      Y6, 128(DI)
	VMOVUPS      Y7, 160(DI)
	VMOVDQU      Y8, 192(DI)
	VMOVDQU      Y9, 224(DI)
	VZEROUPPER
	RET

// Of the 4 numbers in x: smallest and largest, zeros in zero, zeros and subnormals in tiny.
#define KINDS(x, lo, hi, zero, tiny) \
	VMINPD   lo, x, lo;      \
	VMAXPD   hi, x, hi;      \
	VPAND    Y10, x, Y14;    \
	VPCMPEQQ Y15, Y14, Y1;   \
	VPSUBQ   Y1, zero, zero; \
	VPCMPGTQ Y14, Y11, Y14;  \
	VPSUBQ   Y14, tiny, tiny

// func describe64(l *lanes64, x *float64, n int, pivot float64)
//
// The two halves share a register for each count: lanes 0 and 4 are counted together, and so on.
TEXT ·describe64(SB), NOSPLIT, $0-32
	MOVQ         l+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSD pivot+24(FP), Y0
	VMOVUPD      (DI), Y2
	VMOVUPD      32(DI), Y3
	VMOVUPD      64(DI), Y4
	VMOVUPD      96(DI), Y5
	VMOVUPD      128(DI), Y6      // smallest
	VMOVUPD      160(DI), Y7      // largest
	VMOVDQU      192(DI), Y8      // zeros
	VMOVDQU      224(DI), Y9      // zeros and subnormals
	MOVQ         $0x7fffffffffffffff, AX
	MOVQ         AX, X10
	VPBROADCASTQ X10, Y10
	MOVQ         $0x0010000000000000, AX
	MOVQ         AX, X11
	VPBROADCASTQ X11, Y11
	VPXOR        Y15, Y15, Y15
loop:
	VMOVUPD      (SI), Y12
	VMOVUPD      32(SI), Y13
	KINDS(Y12, Y6, Y7, Y8, Y9)
	KINDS(Y13, Y6, Y7, Y8, Y9)
	DEVIATIONS
	ADDQ         $64, SI
	SUBQ         $8, CX
	JNZ          loop
	VMOVUPD      Y2, (DI)
	VMOVUPD      Y3, 32(DI)
	VMOVUPD      Y4, 64(DI)
	VMOVUPD      Y5, 96(DI)
	VMOVUPD      Y6, 128(DI)
	VMOVUPD      Y7, 160(DI)
	VMOVDQU      Y8, 192(DI)
	VMOVDQU      Y9, 224(DI)
	VZEROUPPER
	RET
