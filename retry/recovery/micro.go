package recovery

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Micro says how a batch is cut so that it fits into memory: into Accumulate pieces of at most Size examples, whose
// gradients are added up into one step. With Poisson sampling, where the size of a batch is random, there are as many
// pieces as it takes.
type Micro struct {
	Size       int `json:"size"`
	Accumulate int `json:"accumulate"`
	Logical    int `json:"logical"` // examples per step: what a learning rate and a sampling rate are about
}

// MicroConfig says how batches shrink when memory runs out. Without Logical they do not.
type MicroConfig struct {
	// Logical is how many examples make a step (with Poisson sampling: are expected to).
	Logical int
	// Size is how many examples are tried at once. Default Logical.
	Size int
	// Floor is the smallest size. Default 1.
	Floor int
	// Margin is the part of a size that failed which is never used again: nearly full memory fails later. Default 0.1.
	Margin float64
	// GrowAfter is after how many steps without trouble the size grows by a quarter, always staying below every size that
	// failed by Margin. Default 1000; negative means never.
	GrowAfter int
	// Fixed says that the caller cannot cut a step into more pieces. Then the logical batch shrinks and grows with Size,
	// and with it the sampling rate.
	Fixed bool
	// OnChange is told of every change before it holds; an error prevents it. It is required if Fixed is set: a privacy
	// accountant must learn of another sampling rate before a step uses it. It is called on resuming too, from what the
	// configuration says to what holds.
	OnChange func(ctx context.Context, from, to Micro) error
}

// sizer is the state machine of the size.
type sizer struct {
	cfg    MicroConfig
	pieces int // per step if Fixed
	size   int
	failed int // the smallest size that failed; 0 for none
	calm   int // steps since the last change
}

func newSizer(cfg MicroConfig) (sizer, error) {
	if cfg.Logical == 0 {
		if cfg.Size != 0 || cfg.Floor != 0 || cfg.Margin != 0 || cfg.GrowAfter != 0 || cfg.Fixed || cfg.OnChange != nil {
			return sizer{}, errors.New("recovery: micro: Logical is 0, want the examples per step")
		}
		return sizer{}, nil
	}
	cfg.Size = or(cfg.Size, cfg.Logical)
	cfg.Floor = or(cfg.Floor, 1)
	cfg.Margin = or(cfg.Margin, 0.1)
	cfg.GrowAfter = or(cfg.GrowAfter, 1000)
	switch {
	case cfg.Logical < 0 || cfg.Logical > math.MaxInt32:
		return sizer{}, fmt.Errorf("recovery: micro: Logical is %d, want 1 to %d", cfg.Logical, math.MaxInt32)
	case cfg.Size < 1 || cfg.Size > cfg.Logical:
		return sizer{}, fmt.Errorf("recovery: micro: Size is %d, want 1 to Logical (%d)", cfg.Size, cfg.Logical)
	case cfg.Floor < 1 || cfg.Floor > cfg.Size:
		return sizer{}, fmt.Errorf("recovery: micro: Floor is %d, want 1 to Size (%d)", cfg.Floor, cfg.Size)
	case !(cfg.Margin >= 0 && cfg.Margin < 1):
		return sizer{}, fmt.Errorf("recovery: micro: Margin is %g, want 0 to 1", cfg.Margin)
	case cfg.Fixed && cfg.Logical%cfg.Size != 0:
		return sizer{}, fmt.Errorf("recovery: micro: Logical is %d, want a multiple of Size (%d) if Fixed", cfg.Logical, cfg.Size)
	case cfg.Fixed && cfg.OnChange == nil:
		return sizer{}, errors.New("recovery: micro: OnChange is missing: a sampling rate must not change unnoticed")
	}
	return sizer{cfg: cfg, pieces: cfg.Logical / cfg.Size, size: cfg.Size}, nil
}

func (z *sizer) micro() Micro { return z.at(z.size) }

func (z *sizer) at(size int) Micro {
	switch {
	case z.cfg.Logical == 0:
		return Micro{}
	case z.cfg.Fixed:
		return Micro{Size: size, Accumulate: z.pieces, Logical: size * z.pieces}
	}
	return Micro{Size: size, Accumulate: (z.cfg.Logical + size - 1) / size, Logical: z.cfg.Logical}
}

// ceiling is the largest size to use, given the smallest one that failed.
func (z *sizer) ceiling() int {
	if z.failed == 0 {
		return z.cfg.Size
	}
	return min(z.cfg.Size, z.failed-1, int(float64(z.failed)*(1-z.cfg.Margin)))
}

// shrink halves the size after it has failed. It reports false at the floor, or if OnChange does not agree.
func (z *sizer) shrink(ctx context.Context) (bool, error) {
	if z.cfg.Logical == 0 {
		return false, nil
	}
	if z.failed == 0 || z.size < z.failed {
		z.failed = z.size
	}
	z.calm = 0
	if z.size <= z.cfg.Floor {
		return false, nil
	}
	return z.change(ctx, max(z.cfg.Floor, z.size/2))
}

// grow counts a step that fitted, and tries a larger size when there were enough.
func (z *sizer) grow(ctx context.Context) (bool, error) {
	if z.cfg.Logical == 0 || z.cfg.GrowAfter < 0 || z.size >= z.ceiling() {
		return false, nil
	}
	if z.calm++; z.calm < z.cfg.GrowAfter {
		return false, nil
	}
	z.calm = 0
	return z.change(ctx, min(z.ceiling(), z.size+max(1, z.size/4)))
}

// resume takes over the size of an earlier process.
func (z *sizer) resume(ctx context.Context, size, failed int) error {
	if z.cfg.Logical == 0 || size <= 0 {
		return nil
	}
	if failed > 0 {
		z.failed = failed
	}
	size = max(z.cfg.Floor, min(size, z.ceiling()))
	if size == z.size {
		return nil
	}
	_, err := z.change(ctx, size)
	return err
}

func (z *sizer) change(ctx context.Context, size int) (bool, error) {
	if z.cfg.OnChange != nil {
		if err := z.cfg.OnChange(ctx, z.micro(), z.at(size)); err != nil {
			return false, fmt.Errorf("recovery: micro-batch of %d instead of %d: %w", size, z.size, err)
		}
	}
	z.size = size
	return true, nil
}
