package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// trainer is a state that remembers which batches it has seen: the whole truth about exactly once.
type trainer struct {
	Seen  []uint64
	spare []uint64 // before the step in progress
}

func (tr *trainer) Save(w io.Writer) error { return json.NewEncoder(w).Encode(tr.Seen) }

func (tr *trainer) Restore(r io.Reader) error {
	tr.Seen = nil
	return json.NewDecoder(r).Decode(&tr.Seen)
}

// step applies a batch or, if it fails, leaves a mess.
func (tr *trainer) step(b Batch, err error) {
	tr.spare = slices.Clone(tr.Seen)
	tr.Seen = append(tr.Seen, b.Index)
	if err != nil {
		tr.Seen = append(tr.Seen, 1<<60, 1<<60)
	}
}

func (tr *trainer) undo(context.Context, error) error { tr.Seen = slices.Clone(tr.spare); return nil }

// without lists the first n batches that are in no skip.
func without(skips []Range, n int) (want []uint64) {
	left := map[uint64]bool{}
	for _, r := range skips {
		for b := r.From; b < r.To; b++ {
			left[b] = true
		}
	}
	for b := uint64(0); len(want) < n; b++ {
		if !left[b] {
			want = append(want, b)
		}
	}
	return want
}

var (
	errFlaky  = errors.New("connection reset")
	errMemory = Mark(errors.New("CUDA out of memory"), OutOfMemory)
	errData   = Mark(errors.New("cannot decode image"), BadData)
	errBudget = behaviour{permanent: true, neutral: true}
	errBug    = retry.Permanent(errors.New("index out of range"))
	errLost   = Mark(errors.New("device lost"), StateUnknown)
)

// quick is the default plan, scaled down and without delays.
func quick() Plan {
	return Plan{
		Transient: {{Action: Retry, Times: 3}, {Action: Rollback, Times: 2}, {Action: Skip}, {Action: Stop}},
		Diverged:  {{Action: Rollback, Times: 3, Back: 3, Skip: 5}, {Action: FailFast}},
	}
}

type bench struct {
	t     *testing.T
	dir   *fakeFolder
	cfg   Config
	sup   *Supervisor
	state *trainer
	skips []Range // as decided
}

func start(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t, dir: newFakeFolder(), cfg: cfg}
	if cfg.Plan == nil {
		b.cfg.Plan = quick()
	}
	require.NoError(t, b.restart())
	return b
}

// noUndo marks a configuration whose state cannot be undone.
var noUndo = func(context.Context, error) error { return errors.New("no undo") }

// restart begins a new process on what is in the directory.
func (b *bench) restart() error {
	store, err := openStore(b.dir, StoreConfig{Keep: 4})
	require.NoError(b.t, err)
	b.state = &trainer{}
	cfg := b.cfg
	if cfg.Undo == nil {
		cfg.Undo = func(ctx context.Context, cause error) error { return b.state.undo(ctx, cause) }
	}
	if cfg.Detector == nil {
		cfg.Detector, err = NewDetector(DetectorConfig{Window: 8, Warmup: 4, Consecutive: 2})
		require.NoError(b.t, err)
	}
	sup, err := New(b.t.Context(), store, b.state, cfg)
	if err == nil {
		b.sup = sup
		b.check()
	}
	return err
}

// check is the invariant: the state holds the batches in order, each once, without the skipped ones.
func (b *bench) check() {
	b.t.Helper()
	r := b.sup.Report()
	require.EqualValues(b.t, len(b.state.Seen), r.Step)
	require.EqualValues(b.t, r.Step, b.sup.Step())
	require.Equal(b.t, without(r.Skipped, len(b.state.Seen)), append([]uint64(nil), b.state.Seen...))
}

func (b *bench) run(out Outcome) (Decision, error) {
	b.t.Helper()
	return b.runIn(b.t.Context(), out)
}

func (b *bench) runIn(ctx context.Context, out Outcome) (Decision, error) {
	b.t.Helper()
	b.state.step(b.sup.Next(), out.Err)
	d, err := b.sup.Done(ctx, out)
	b.skips = append(b.skips, d.Skipped...)
	if err == nil {
		b.check()
	}
	return d, err
}

func (b *bench) ok(n int) {
	b.t.Helper()
	for range n {
		d, err := b.run(Outcome{Loss: 1})
		require.NoError(b.t, err)
		require.Equal(b.t, Continue, d.Action)
	}
}
