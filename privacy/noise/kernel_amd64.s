#include "textflag.h"

// Lanes 0 to 3 are in Y0 and 4 to 7 in Y1; products and sums round by themselves, as in addSquares.
#define SQUARES \
	MOVQ    sums+0(FP), DI; \
	MOVQ    x+8(FP), SI;    \
	MOVQ    n+16(FP), CX;   \
	VMOVUPD (DI), Y0;       \
	VMOVUPD 32(DI), Y1;     \
loop:                           \
	LOAD(Y2, Y3);           \
	VMULPD  Y2, Y2, Y2;     \
	VMULPD  Y3, Y3, Y3;     \
	VADDPD  Y2, Y0, Y0;     \
	VADDPD  Y3, Y1, Y1;     \
	SUBQ    $8, CX;         \
	JNZ     loop;           \
	VMOVUPD Y0, (DI);       \
	VMOVUPD Y1, 32(DI);     \
	VZEROUPPER;             \
	RET

// Y0 is the factor, Y1 the shifter, Y2 and Y3 sums of squares.
#define STEPS \
	MOVQ         sum+0(FP), DI;           \
	MOVQ         x+8(FP), SI;             \
	MOVQ         n+16(FP), CX;            \
	VBROADCASTSD f+24(FP), Y0;            \
	MOVQ         $0x4338000000000000, AX; \
	MOVQ         AX, X1;                  \
	VPBROADCASTQ X1, Y1;                  \
	VPXOR        Y2, Y2, Y2;              \
	VPXOR        Y3, Y3, Y3;              \
loop:                                         \
	LOAD(Y4, Y5);                         \
	VMULPD       Y0, Y4, Y4;              \
	VMULPD       Y0, Y5, Y5;              \
	VADDPD       Y1, Y4, Y4;              \
	VADDPD       Y1, Y5, Y5;              \
	VPSUBQ       Y1, Y4, Y6;              \
	VPSUBQ       Y1, Y5, Y7;              \
	VPADDQ       (DI), Y6, Y6;            \
	VPADDQ       32(DI), Y7, Y7;          \
	VMOVDQU      Y6, (DI);                \
	VMOVDQU      Y7, 32(DI);              \
	VSUBPD       Y1, Y4, Y4;              \
	VSUBPD       Y1, Y5, Y5;              \
	VFMADD231PD  Y4, Y4, Y2;              \
	VFMADD231PD  Y5, Y5, Y3;              \
	ADDQ         $64, DI;                 \
	SUBQ         $8, CX;                  \
	JNZ          loop;                    \
	VADDPD       Y3, Y2, Y2;              \
	VEXTRACTF128 $1, Y2, X3;              \
	VADDPD       X3, X2, X2;              \
	VHADDPD      X2, X2, X2;              \
	VZEROUPPER;                           \
	MOVSD        X2, square+32(FP);       \
	RET

// The next 8 numbers of x.
#define LOAD(a, b) \
	VCVTPS2PD (SI), a;   \
	VCVTPS2PD 16(SI), b; \
	ADDQ      $32, SI

// func squares32(sums *[8]float64, x *float32, n int)
TEXT ·squares32(SB), NOSPLIT, $0-24
	SQUARES

// func steps32(sum *int64, x *float32, n int, f float64) (square float64)
TEXT ·steps32(SB), NOSPLIT, $0-40
	STEPS

#undef LOAD
#define LOAD(a, b) \
	VMOVUPD (SI), a;   \
	VMOVUPD 32(SI), b; \
	ADDQ    $64, SI

// func squares64(sums *[8]float64, x *float64, n int)
TEXT ·squares64(SB), NOSPLIT, $0-24
	SQUARES

// func steps64(sum *int64, x *float64, n int, f float64) (square float64)
TEXT ·steps64(SB), NOSPLIT, $0-40
	STEPS
