package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type scalerMemoryError struct{ yes bool }

func (scalerMemoryError) Error() string       { return "device memory" }
func (e scalerMemoryError) OutOfMemory() bool { return e.yes }

// scalerGood tells n good batches of the size in force, each with a peak of share of a limit of 1000.
func scalerGood(t testing.TB, s *Scaler, n int, share float64) {
	t.Helper()
	for range n {
		require.NoError(t, s.Observe(BatchUse{Size: scalerNext(t, s), Used: Of(uint64(1000 * share)), Limit: Of(uint64(1000))}))
	}
}

func scalerNext(t testing.TB, s *Scaler) int {
	t.Helper()
	size, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errScalerBug, false},
		{syscall.ENOMEM, true},
		{fmt.Errorf("mmap: %w", syscall.ENOMEM), true},
		{fmt.Errorf("step: %w", scalerMemoryError{true}), true},
		{scalerMemoryError{false}, false},
		{errors.Join(errScalerBug, scalerMemoryError{true}), true},
		{syscall.EAGAIN, false},
	} {
		require.Equal(t, tc.want, OutOfMemory(tc.err), "%v", tc.err)
	}
}

// TestScalerAfterFailures: what each failure leaves as the next size, and as the largest ever used.
func TestScalerAfterFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg     ScalerConfig
		fails   []int // sizes that run out of memory, in this order
		want    int
		ceiling int
		nothing bool
	}{
		"halves":                        {ScalerConfig{Max: 64, Start: 64}, []int{64}, 32, 57, false},
		"twice":                         {ScalerConfig{Max: 64, Start: 64}, []int{64, 32}, 16, 28, false},
		"workers fail side by side":     {ScalerConfig{Max: 64, Start: 64}, []int{64, 64, 64, 64}, 32, 57, false},
		"a late larger one":             {ScalerConfig{Max: 64, Start: 64}, []int{64, 32, 64}, 16, 28, false},
		"multiples":                     {ScalerConfig{Max: 72, Start: 72, Multiple: 8}, []int{72}, 32, 64, false},
		"to the minimum":                {ScalerConfig{Max: 64, Start: 40, Min: 30}, []int{40}, 30, 36, false},
		"at the minimum":                {ScalerConfig{Max: 64, Start: 30, Min: 30}, []int{30}, 30, 30, true},
		"an odd size":                   {ScalerConfig{Max: 7, Start: 7}, []int{7}, 3, 6, false},
		"two":                           {ScalerConfig{Max: 2, Start: 2}, []int{2}, 1, 1, false},
		"a late one of what is allowed": {ScalerConfig{Max: 64, Start: 16}, []int{24}, 12, 21, false},
	} {
		s := scalerOf(t, tc.cfg)
		var err error
		for _, size := range tc.fails {
			err = s.Observe(BatchUse{Size: size, Err: fmt.Errorf("step: %w", scalerMemoryError{true})})
		}
		require.Equal(t, tc.nothing, errors.Is(err, ErrNothingFits), name)
		if tc.nothing {
			var cause scalerMemoryError
			require.ErrorAs(t, err, &cause, name)
		}
		require.Equal(t, tc.want, scalerNext(t, s), name)
		require.Equal(t, tc.ceiling, s.ceiling(), name)
	}
}

// TestScalerWithoutFigures: it goes back to what was good, and no further.
func TestScalerWithoutFigures(t *testing.T) {
	t.Parallel()
	s := scalerOf(t, ScalerConfig{Max: 1000, Start: 100, GrowAfter: 5})
	good := func(n int) {
		for range n {
			require.NoError(t, s.Observe(BatchUse{Size: scalerNext(t, s)}))
		}
	}
	good(500)
	require.Equal(t, 100, s.Size())
	require.NoError(t, s.Observe(BatchUse{Size: 100, Err: syscall.ENOMEM}))
	require.Equal(t, 50, scalerNext(t, s))
	good(5)
	require.Equal(t, 65, scalerNext(t, s))
	good(500)
	require.Equal(t, 90, s.Size(), "a tenth below what failed")
}

// TestScalerForgets: a size that failed is tried again after a time that doubles, or when there is more memory.
func TestScalerForgets(t *testing.T) {
	t.Parallel()
	s := scalerOf(t, ScalerConfig{Max: 100, Start: 100, GrowAfter: 1, Forget: 50})
	require.NoError(t, s.Observe(BatchUse{Size: 100, Used: Of(uint64(100)), Limit: Of(uint64(1000))}))
	fail := func() {
		require.NoError(t, s.Observe(BatchUse{Size: 100, Err: syscall.ENOMEM}))
		require.Equal(t, 50, scalerNext(t, s))
	}
	for _, batches := range []int{51, 101, 201} {
		fail()
		n := 0
		for ; s.Size() < 100; n++ {
			require.Less(t, n, 300)
			scalerGood(t, s, 1, .1)
		}
		require.InDelta(t, batches, n, 2)
	}
	fail()
	scalerGood(t, s, 30, .1)
	require.Equal(t, 90, s.Size())
	require.NoError(t, s.Observe(BatchUse{Size: 90, Used: Of(uint64(100)), Limit: Of(uint64(1100))}))
	require.Equal(t, 100, scalerNext(t, s))
}

// TestScalerLimitFalls: a limit that is lowered while the job runs shrinks batches before they fail.
func TestScalerLimitFalls(t *testing.T) {
	t.Parallel()
	d := &scalerDevice{fixed: 1e8, per: 1e6, step: 1, limit: 1e9, rng: scalerDeviceOf(0).rng}
	var reasons []BatchReason
	s := scalerOf(t, ScalerConfig{Max: 4096, Start: 100, OnChange: func(_ context.Context, c BatchChange) error {
		reasons = append(reasons, c.Reason)
		return nil
	}})
	for range 2000 {
		require.NoError(t, s.Observe(d.run(scalerNext(t, s))))
	}
	require.InDelta(t, 750, s.Size(), 40)
	reasons, d.limit = nil, 9e8
	for range 100 {
		u := d.run(scalerNext(t, s))
		require.NoError(t, u.Err)
		require.NoError(t, s.Observe(u))
	}
	require.Equal(t, []BatchReason{BatchTight}, reasons)
	require.InDelta(t, 665, s.Size(), 5)
}

// TestScalerSticky: if the figures do not fall with the size, as an allocator's that keeps what it had, shrinking stops.
func TestScalerSticky(t *testing.T) {
	t.Parallel()
	s := scalerOf(t, ScalerConfig{Max: 1024, Start: 100})
	require.NoError(t, s.Observe(BatchUse{Used: Of(uint64(100)), Limit: Of(uint64(1000))}))
	for range 1000 {
		require.NoError(t, s.Observe(BatchUse{Size: scalerNext(t, s), Used: Of(uint64(960)), Limit: Of(uint64(1000))}))
	}
	require.Equal(t, 87, s.Size(), "once, and not again")
	for range 100 {
		require.NoError(t, s.Observe(BatchUse{Size: scalerNext(t, s), Used: Of(uint64(920)), Limit: Of(uint64(940))}))
	}
	require.Less(t, s.Size(), 87, "until the limit falls")
}

// TestScalerSpikes: one batch in fifty takes a fifth more. That counts for growth, and one spike alone shrinks nothing.
func TestScalerSpikes(t *testing.T) {
	t.Parallel()
	s := scalerOf(t, ScalerConfig{Max: 4096, Start: 8, OnChange: func(_ context.Context, c BatchChange) error {
		require.Equal(t, BatchGrown, c.Reason)
		return nil
	}})
	for i := range 20000 {
		size := scalerNext(t, s)
		used := 100 + float64(size)
		if i%50 == 49 {
			used *= 1.2
		}
		require.Less(t, used, 1000.)
		require.NoError(t, s.Observe(BatchUse{Size: size, Used: Of(uint64(used)), Limit: Of(uint64(1000))}))
	}
	require.InDelta(t, 600, s.Size(), 30)
}

func TestScalerTellsBeforeTheFirstBatch(t *testing.T) {
	t.Parallel()
	var s *Scaler
	var got []BatchChange
	s = scalerOf(t, ScalerConfig{Max: 64, Start: 64, GrowAfter: 10, Examples: 128, OnChange: func(ctx context.Context, c BatchChange) error {
		require.Equal(t, c.From, s.Size(), "not in force yet, and no lock is held")
		got = append(got, c)
		return ctx.Err()
	}})
	require.Equal(t, 64, scalerNext(t, s))
	require.NoError(t, s.Observe(BatchUse{Size: 64, Err: syscall.ENOMEM}))
	require.Empty(t, got)
	require.Equal(t, 64, s.Size())
	require.Equal(t, 32, scalerNext(t, s))
	require.Equal(t, []BatchChange{{64, 32, .5, .25, BatchRanOut}}, got)
	require.NoError(t, s.Shrink())
	require.Equal(t, 16, scalerNext(t, s))
	require.Equal(t, BatchChange{32, 16, .25, .125, BatchByDemand}, got[1])
	scalerGood(t, s, 10, .1)
	require.Equal(t, 20, scalerNext(t, s))
	require.Equal(t, BatchChange{16, 20, .125, .15625, BatchGrown}, got[2])
}

// TestScalerRefused: the old size stays. That is an error where the old size has failed, and then the next call asks
// again.
func TestScalerRefused(t *testing.T) {
	t.Parallel()
	refuse, asked := true, 0
	s := scalerOf(t, ScalerConfig{Max: 64, Start: 16, GrowAfter: 10, OnChange: func(context.Context, BatchChange) error {
		if asked++; refuse {
			return errScalerRefused
		}
		return nil
	}})
	scalerGood(t, s, 35, .1)
	require.Equal(t, 16, scalerNext(t, s))
	require.Equal(t, 3, asked, "every ten batches, not at every one")
	require.Equal(t, 3, s.Report().Refused)
	require.NoError(t, s.Observe(BatchUse{Size: 16, Err: syscall.ENOMEM}))
	for range 2 {
		size, err := s.Next(t.Context())
		require.ErrorIs(t, err, errScalerRefused)
		require.ErrorContains(t, err, "resources: scaler: batch of 8 instead of 16 (ran out of memory)")
		require.Equal(t, 16, size)
	}
	refuse = false
	require.Equal(t, 8, scalerNext(t, s))

	refuse, asked = true, 0
	tight := scalerOf(t, ScalerConfig{Max: 64, Start: 16, OnChange: s.cfg.OnChange})
	scalerGood(t, tight, 100, .97)
	require.Equal(t, 16, scalerNext(t, tight))
	require.Equal(t, 1, asked)
}

func TestScalerPanickingCallback(t *testing.T) {
	t.Parallel()
	calls := 0
	s := scalerOf(t, ScalerConfig{Max: 64, Start: 64, OnChange: func(context.Context, BatchChange) error {
		if calls++; calls == 1 {
			panic(errScalerBug)
		}
		return nil
	}})
	require.NoError(t, s.Shrink())
	require.PanicsWithValue(t, errScalerBug, func() { _, _ = s.Next(t.Context()) })
	require.Equal(t, 64, s.Size())
	require.Equal(t, 32, scalerNext(t, s))
}

// TestScalerManyWorkers: no worker gets a size that was not agreed to, and one that waits for the answer can leave.
func TestScalerManyWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		agreed := map[int]bool{64: true}
		inside := 0
		s := scalerOf(t, ScalerConfig{Max: 64, Start: 64, GrowAfter: 3, OnChange: func(_ context.Context, c BatchChange) error {
			mu.Lock()
			inside++
			assert.Equal(t, 1, inside)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			defer mu.Unlock()
			inside--
			agreed[c.To] = true
			return nil
		}})
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := range 50 {
					size, err := s.Next(t.Context())
					assert.NoError(t, err)
					mu.Lock()
					assert.True(t, agreed[size], size)
					mu.Unlock()
					u := BatchUse{Size: size, Used: Of(uint64(10 * size)), Limit: Of(uint64(1000))}
					if (worker+i)%17 == 0 && size > 1 {
						u.Err = syscall.ENOMEM
					}
					err = s.Observe(u)
					assert.True(t, err == nil || errors.Is(err, ErrNothingFits))
				}
			})
		}
		wg.Wait()
		require.NoError(t, errors.Join(s.Observe(BatchUse{Size: 64}), s.Observe(BatchUse{Size: 40})))

		grown := scalerOf(t, ScalerConfig{Max: 64, Start: 64, OnChange: s.cfg.OnChange})
		require.NoError(t, grown.Shrink())
		wg.Go(func() { _, err := grown.Next(t.Context()); assert.NoError(t, err) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := grown.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		// A failure while the question is open: the answer counts, and then the next question.
		require.NoError(t, grown.Observe(BatchUse{Size: 32, Err: syscall.ENOMEM}))
		wg.Wait()
		require.Equal(t, 16, scalerNext(t, grown))
	})
}

func TestScalerState(t *testing.T) {
	t.Parallel()
	d := scalerDeviceOf(3)
	s := scalerOf(t, ScalerConfig{Max: 4096, Start: 8, Multiple: 8})
	for range 3000 {
		require.NoError(t, s.Observe(d.run(scalerNext(t, s))))
	}
	require.NoError(t, s.Observe(BatchUse{Size: s.Size(), Err: syscall.ENOMEM}))
	state, err := s.State()
	require.NoError(t, err)

	var got []BatchChange
	again := scalerOf(t, ScalerConfig{Max: 4096, Start: 8, Multiple: 8, State: state, OnChange: func(_ context.Context, c BatchChange) error {
		got = append(got, c)
		return nil
	}})
	require.Equal(t, 8, again.Size(), "what the configuration says, until the change is agreed to")
	require.Equal(t, scalerNext(t, s), scalerNext(t, again))
	require.Equal(t, []BatchChange{{From: 8, To: s.Size(), Reason: BatchResumed}}, got)
	want, have := s.Report(), again.Report()
	require.Equal(t, want, have)
	second, err := again.State()
	require.NoError(t, err)
	require.JSONEq(t, string(state), string(second))

	small := scalerOf(t, ScalerConfig{Max: 16, State: state})
	require.LessOrEqual(t, scalerNext(t, small), 16)
	for _, bad := range []string{
		"", "{}", "null", "[]", `{"version":2,"size":8}`, string(state) + "{}", `{"version":1,"size":0}`, `{"version":1,"size":-8}`,
		`{"version":1,"size":8,"extra":1}`, `{"version":1,"size":8,"failed":{"size":8}}`, `{"version":1,"size":3000000000}`,
		`{"version":1,"size":8,"use":[{"size":8,"peaks":[],"top":1}]}`, `{"version":1,"size":8,"use":[{"size":8,"peaks":[-1],"top":1}]}`,
		`{"version":1,"size":8,"use":[{"size":8,"peaks":[1],"top":1},{"size":8,"peaks":[1],"top":1}]}`,
	} {
		_, err := NewScaler(ScalerConfig{Max: 16, State: []byte(bad)})
		require.ErrorContains(t, err, "resources: scaler: state", bad)
	}
}

func FuzzScalerState(f *testing.F) {
	s := scalerOf(f, ScalerConfig{Max: 64})
	scalerGood(f, s, 100, .2)
	state, err := s.State()
	require.NoError(f, err)
	f.Add(state, uint64(1))
	f.Add([]byte(`{"version":1,"size":8,"failed":{"size":9,"times":70,"since":2147483647},"limit":0,"use":[{"size":0,"peaks":[1e19],"top":0}]}`), uint64(2))
	f.Fuzz(func(t *testing.T, state []byte, seed uint64) {
		s, err := NewScaler(ScalerConfig{Max: 64, Multiple: 4, State: state, GrowAfter: 2})
		if err != nil {
			return
		}
		d := scalerDeviceOf(seed)
		for range 40 {
			size, err := s.Next(context.Background())
			require.NoError(t, err)
			require.True(t, size >= 4 && size <= 64 && size%4 == 0, size)
			_ = s.Observe(d.run(size))
			_ = s.Observe(d.run(0))
		}
		again, err := s.State()
		require.NoError(t, err)
		_, err = NewScaler(ScalerConfig{Max: 64, Multiple: 4, State: again})
		require.NoError(t, err)
	})
}

// FuzzScaler holds for whatever is observed: sizes are allowed ones, only change through OnChange, and a size is never
// used that is as large as one that just failed.
func FuzzScaler(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 100, 7, 255, 0, 9})
	f.Fuzz(func(t *testing.T, ops []byte) {
		agreed := 12
		s := scalerOf(t, ScalerConfig{Max: 96, Min: 4, Start: 12, Multiple: 4, GrowAfter: 2, Forget: -1, OnChange: func(_ context.Context, c BatchChange) error {
			require.Equal(t, agreed, c.From)
			require.NotEqual(t, c.From, c.To)
			if len(ops)%3 == 0 {
				return errScalerRefused
			}
			agreed = c.To
			return nil
		}})
		failed := math.MaxInt
		for len(ops) >= 2 {
			op, v := ops[0], ops[1]
			ops = ops[2:]
			size, err := s.Next(context.Background())
			require.Equal(t, agreed, size)
			require.True(t, size >= 4 && size <= 96 && size%4 == 0, size)
			if err == nil {
				require.True(t, size < failed || size == 4, "%d after %d", size, failed)
			}
			u := BatchUse{Size: size, Limit: Of(uint64(200))}
			switch op % 8 {
			case 0:
				u.Err = scalerMemoryError{true}
				failed = min(failed, size)
			case 1:
				u.Err = errScalerBug
			case 2:
				u.Limit = Value[uint64]{}
			case 3:
				u.Size = int(v)
			case 4:
				require.Equal(t, min(s.Report().Size, s.Report().Want) == 4, s.Shrink() != nil)
			}
			if op&16 == 0 {
				u.Used = Of(uint64(v))
			}
			_ = s.Observe(u)
		}
	})
}

func TestScalerFind(t *testing.T) {
	t.Parallel()
	limited := func(limit int, told bool) func(context.Context, int) BatchUse {
		return func(_ context.Context, size int) BatchUse {
			u := BatchUse{}
			if told {
				u.Used, u.Limit = Of(uint64(size)), Of(uint64(limit))
			}
			if size > limit {
				u.Err = scalerMemoryError{true}
			}
			return u
		}
	}
	for name, tc := range map[string]struct {
		cfg   ScalerConfig
		limit int
		told  bool
		lo    int
		hi    int
		fails bool
	}{
		"with figures":             {ScalerConfig{Max: 4096}, 1000, true, 800, 850, false},
		"all of it fits":           {ScalerConfig{Max: 512}, 1000, true, 512, 512, false},
		"without figures":          {ScalerConfig{Max: 4096}, 1000, false, 800, 960, false},
		"without figures, all":     {ScalerConfig{Max: 512}, 1000, false, 512, 512, false},
		"begins too large":         {ScalerConfig{Max: 4096, Start: 4096}, 100, true, 75, 85, false},
		"begins too large, blind":  {ScalerConfig{Max: 4096, Start: 4096}, 100, false, 75, 95, false},
		"multiples":                {ScalerConfig{Max: 4096, Multiple: 64}, 1000, true, 832, 832, false},
		"nothing fits":             {ScalerConfig{Max: 64, Start: 32, Min: 16}, 10, true, 0, 0, true},
		"nothing leaves headroom":  {ScalerConfig{Max: 64, Start: 32, Min: 16}, 17, true, 0, 0, true},
		"nothing fits, blind":      {ScalerConfig{Max: 64, Start: 32, Min: 16}, 10, false, 0, 0, true},
		"the smallest alone":       {ScalerConfig{Max: 64, Start: 32, Min: 16}, 20, true, 16, 17, false},
		"the largest is not whole": {ScalerConfig{Max: 100, Start: 3}, 1000, true, 100, 100, false},
	} {
		s := scalerOf(t, tc.cfg)
		size, err := s.Find(t.Context(), limited(tc.limit, tc.told))
		if tc.fails {
			require.ErrorIs(t, err, ErrNothingFits, name)
			continue
		}
		require.NoError(t, err, name)
		require.True(t, tc.lo <= size && size <= tc.hi, "%s: %d", name, size)
		require.Equal(t, size, scalerNext(t, s), name)
	}

	s := scalerOf(t, ScalerConfig{Max: 64})
	_, err := s.Find(t.Context(), func(context.Context, int) BatchUse { return BatchUse{Err: errScalerBug} })
	require.ErrorIs(t, err, errScalerBug)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Find(ctx, func(context.Context, int) BatchUse { cancel(); return BatchUse{} })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, scalerNext(t, s))
}

func TestScalerConfig(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]ScalerConfig{
		"Max is 0":              {},
		"Max is -1":             {Max: -1},
		"Min is 9":              {Max: 8, Min: 9},
		"Min is -1":             {Max: 8, Min: -1},
		"Start is 9":            {Max: 8, Start: 9},
		"Start is 1":            {Max: 8, Min: 2, Start: 1},
		"multiple of 3":         {Max: 8, Multiple: 3},
		"Multiple is -2":        {Max: 8, Multiple: -2},
		"Headroom is 1":         {Max: 8, Headroom: 1},
		"Headroom is NaN":       {Max: 8, Headroom: math.NaN()},
		"Examples is -1":        {Max: 8, Examples: -1},
		"OnChange is nil":       {Max: 8, Examples: 100},
		"Policy 3 is not below": {Max: 8, Policy: 3},
	} {
		_, err := NewScaler(cfg)
		require.ErrorContains(t, err, "resources: scaler: ")
		require.ErrorContains(t, err, want)
	}
	for _, s := range []*Scaler{nil, new(Scaler)} {
		_, err := s.Next(t.Context())
		require.Error(t, err)
		require.Error(t, s.Observe(BatchUse{Size: 1}))
		require.Error(t, s.Shrink())
		_, err = s.State()
		require.Error(t, err)
		_, err = s.Find(t.Context(), nil)
		require.Error(t, err)
		require.Zero(t, s.Size())
		require.Zero(t, s.Report())
	}
	s := scalerOf(t, ScalerConfig{Max: 8})
	require.Error(t, s.Observe(BatchUse{Size: -1}))
	require.ErrorIs(t, s.Shrink(), ErrNothingFits)
}

func TestScalerNames(t *testing.T) {
	t.Parallel()
	for p := range ScalerPolicy(len(scalerPolicies)) {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		var back ScalerPolicy
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, p, back)
	}
	_, err := ScalerPolicy(9).MarshalText()
	require.Error(t, err)
	require.Equal(t, "policy 9", ScalerPolicy(9).String())
	require.Error(t, new(ScalerPolicy).UnmarshalText([]byte("bold")))
	require.Equal(t, "ran out of memory", BatchRanOut.String())
	require.Equal(t, "reason 99", BatchReason(99).String())
	text, err := json.Marshal(BatchByDemand)
	require.NoError(t, err)
	require.Equal(t, `"by demand"`, string(text))
}

func TestScalerDoesNotAllocate(t *testing.T) {
	s := scalerOf(t, ScalerConfig{Max: 1024, Start: 64})
	ctx := context.Background()
	d := &scalerDevice{fixed: 1e8, per: 1e6, noise: .01, step: 1, limit: 1e9, rng: scalerDeviceOf(0).rng}
	step := func() {
		size, _ := s.Next(ctx)
		_ = s.Observe(d.run(size))
	}
	for range 3000 {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(1000, step))
}

func BenchmarkScaler(b *testing.B) {
	s := scalerOf(b, ScalerConfig{Max: 1024, Start: 64})
	ctx := context.Background()
	d := &scalerDevice{fixed: 1e8, per: 1e6, noise: .01, step: 1, limit: 1e9, rng: scalerDeviceOf(0).rng}
	for range 3000 {
		size, _ := s.Next(ctx)
		_ = s.Observe(d.run(size))
	}
	use := d.run(s.Size())
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Next(ctx)
		_ = s.Observe(use)
	}
}
