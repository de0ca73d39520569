package carbon

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func meterWith(t testing.TB, cfg MeterConfig) *Meter {
	t.Helper()
	m, err := NewMeter(cfg)
	require.NoError(t, err)
	return m
}

func stateOf(t testing.TB, m *Meter) []byte {
	t.Helper()
	state, err := m.State()
	require.NoError(t, err)
	return state
}

// TestMeterRestart: a run that is cut off and restored at any point, and sends everything again, counts what one run does.
func TestMeterRestart(t *testing.T) {
	t.Parallel()
	p := hourly(100, 300, math.NaN(), 500, 200, 50)
	cfg := MeterConfig{Provider: p, Start: noon.Add(-30 * time.Minute)}
	type use struct {
		from, to time.Duration
		e        Energy
	}
	var uses []use
	for i := range 20 {
		from := time.Duration(i) * 17 * time.Minute
		uses = append(uses, use{from, from + 13*time.Minute, Energy{Joules: 1e6 / 3 * float64(i+1), Source: "gpu"}},
			use{from, from + 9*time.Minute, Energy{Joules: 12345.678, Source: "host", Estimated: true}})
	}
	add := func(m *Meter, u use) error { return m.Add(t.Context(), noon.Add(u.from), noon.Add(u.to), u.e) }
	whole := meterWith(t, cfg)
	for _, u := range uses {
		require.NoError(t, add(whole, u))
	}
	for cut := range uses {
		m := meterWith(t, cfg)
		for _, u := range uses[:cut] {
			require.NoError(t, add(m, u))
		}
		again := cfg
		again.State = stateOf(t, m)
		m = meterWith(t, again)
		for i, u := range uses {
			err := add(m, u)
			if i < cut {
				require.ErrorIs(t, err, ErrOverlap, "use %d is in the state", i)
			} else {
				require.NoError(t, err)
			}
		}
		want, got := whole.Totals(), m.Totals()
		require.Equal(t, want.LastErr.Error(), got.LastErr.Error())
		want.LastErr, got.LastErr = nil, nil
		require.Equal(t, want, got, "bit by bit")
		a, err := whole.AgainstRunNow()
		require.NoError(t, err)
		b, err := m.AgainstRunNow()
		require.NoError(t, err)
		require.Equal(t, a, b)
		require.JSONEq(t, string(stateOf(t, whole)), string(stateOf(t, m)))
	}
}

func TestMeterCountsNothingTwice(t *testing.T) {
	t.Parallel()
	m := meterWith(t, MeterConfig{Provider: hourly(100, 100, 100)})
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	gpu, host := Energy{Joules: 1, Source: "gpu"}, Energy{Joules: 1, Source: "host", Estimated: true}
	require.NoError(t, m.Add(t.Context(), at(10), at(20), gpu))
	require.ErrorIs(t, m.Add(t.Context(), at(10), at(20), gpu), ErrOverlap)
	require.ErrorIs(t, m.Add(t.Context(), at(19), at(30), gpu), ErrOverlap)
	require.ErrorIs(t, m.Add(t.Context(), at(0), at(5), gpu), ErrOverlap)
	require.NoError(t, m.Add(t.Context(), at(20), at(30), gpu))
	require.NoError(t, m.Add(t.Context(), at(10), at(20), Energy{Joules: 1, Source: "other gpu"}))
	for range 3 { // three workers' worth of CPU time
		require.NoError(t, m.Add(t.Context(), at(10), at(20), host))
	}
	require.InDelta(t, 6/joulesPerKWh, m.Totals().KWh, 1e-18)
	m = meterWith(t, MeterConfig{Provider: hourly(100, 100, 100), State: stateOf(t, m)})
	require.ErrorIs(t, m.Add(t.Context(), at(19), at(20), host), ErrOverlap, "before a restart, estimates too")
	require.NoError(t, m.Add(t.Context(), at(20), at(21), host))
	require.NoError(t, m.Add(t.Context(), at(20), at(21), host))
}

// TestMeterFailedAddLeavesNoTrace: what was refused may come again.
func TestMeterFailedAddLeavesNoTrace(t *testing.T) {
	t.Parallel()
	signal, scope := Marginal, Lifecycle
	m := meterWith(t, MeterConfig{Start: noon, Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		r := reading(100, at, at.Add(time.Hour))
		r.Signal, r.Scope = signal, scope
		return r, nil
	})})
	gpu := Energy{Joules: joulesPerKWh, Source: "gpu"}
	later := noon.Add(time.Hour)
	before := string(stateOf(t, m))
	require.ErrorIs(t, m.Add(t.Context(), noon, later, gpu), ErrSignal)
	require.Equal(t, before, string(stateOf(t, m)))
	signal = Average
	require.NoError(t, m.Add(t.Context(), noon, later, gpu))
	scope = Direct
	require.ErrorIs(t, m.Add(t.Context(), later, later.Add(time.Hour), gpu), ErrScope, "lifecycle and direct values make no sum")
	scope = 0
	require.NoError(t, m.Add(t.Context(), later, later.Add(time.Hour), gpu), "a source that does not say meets both")
	m = meterWith(t, MeterConfig{Provider: m.cfg.Provider, Start: noon, State: stateOf(t, m)})
	scope = Direct
	require.ErrorIs(t, m.Add(t.Context(), later.Add(time.Hour), later.Add(2*time.Hour), gpu), ErrScope, "after a restart too")
	require.InDelta(t, 2, m.Totals().KWh, 1e-12)
}

// TestMeterStateDuringAdd: an Add that is waiting for its provider is in no state, and may come again after a restart.
func TestMeterStateDuringAdd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
			<-time.After(time.Minute)
			return reading(100, at, at.Add(time.Hour)), nil
		})
		m := meterWith(t, MeterConfig{Provider: p})
		e := Energy{Joules: joulesPerKWh, Source: "gpu"}
		done := make(chan error)
		go func() { done <- m.Add(t.Context(), noon, noon.Add(time.Minute), e) }()
		synctest.Wait()
		early := stateOf(t, m)
		require.ErrorIs(t, m.Add(t.Context(), noon, noon.Add(time.Minute), e), ErrOverlap)
		require.NoError(t, <-done)
		late := stateOf(t, m)
		m = meterWith(t, MeterConfig{Provider: p, State: early})
		require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Minute), e))
		require.Equal(t, string(late), string(stateOf(t, m)))
	})
}

func TestMeterStateRefusals(t *testing.T) {
	t.Parallel()
	p := hourly(100, 100)
	m := meterWith(t, MeterConfig{Provider: p, Start: noon})
	require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Hour), kwh(1)))
	good := stateOf(t, m)
	var tree map[string]any
	require.NoError(t, json.Unmarshal(good, &tree))
	for name, change := range map[string]func(map[string]any){
		"version":        func(s map[string]any) { s["version"] = 2 },
		"another start":  func(s map[string]any) { s["start"] = noon.Add(1) },
		"unknown field":  func(s map[string]any) { s["more"] = 1 },
		"scope":          func(s map[string]any) { s["scope"] = 3 },
		"negative gap":   func(s map[string]any) { s["gap_ns"] = -1 },
		"negative kwh":   func(s map[string]any) { shareOf(s)["kwh"] = []float64{-1, 0} },
		"huge low part":  func(s map[string]any) { shareOf(s)["kwh"] = []float64{1, 2} },
		"unknown basis":  func(s map[string]any) { shareOf(s)["basis"] = 9 },
		"unknown, grams": func(s map[string]any) { shareOf(s)["basis"] = 0 },
		"no energy":      func(s map[string]any) { shareOf(s)["energy"] = "" },
		"backwards":      func(s map[string]any) { shareOf(s)["to"] = noon.Add(-time.Hour) },
		"twice":          func(s map[string]any) { s["shares"] = append(s["shares"].([]any), s["shares"].([]any)[0]) },
		"no source":      func(s map[string]any) { s["sources"].([]any)[0].(map[string]any)["name"] = "" },
		"negative wait":  func(s map[string]any) { s["sources"].([]any)[0].(map[string]any)["wait_ns"] = -1 },
		"source twice":   func(s map[string]any) { s["sources"] = append(s["sources"].([]any), s["sources"].([]any)[0]) },
		"run-now":        func(s map[string]any) { s["run_now"].(map[string]any)["grams"] = []float64{-1, 0} },
	} {
		var s map[string]any
		require.NoError(t, json.Unmarshal(good, &s))
		change(s)
		bad, err := json.Marshal(s)
		require.NoError(t, err)
		_, err = NewMeter(MeterConfig{Provider: p, Start: noon, State: bad})
		require.ErrorContains(t, err, "carbon: meter: state", name)
	}
	for _, text := range []string{"{", "null null", "[]", string(good) + "{}", string(good[:len(good)-2])} {
		_, err := NewMeter(MeterConfig{Provider: p, Start: noon, State: []byte(text)})
		require.ErrorContains(t, err, "carbon: meter: state", text)
	}
	_, err := (*Meter)(nil).State()
	require.Error(t, err)
}

func shareOf(s map[string]any) map[string]any { return s["shares"].([]any)[0].(map[string]any) }

// TestMeterStrangeText: text of a provider or a counter that cannot be written does not make a state that cannot be read.
func TestMeterStrangeText(t *testing.T) {
	t.Parallel()
	n := 0
	m := meterWith(t, MeterConfig{Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		r := reading(100, at, at.Add(time.Hour))
		n++
		r.Source = []string{"a\xffb", "a\xfeb", "a\nb", "a\x00b", "\u2028", string(make([]byte, 1000))}[n%6]
		return r, nil
	})})
	for i := range 12 {
		require.NoError(t, m.Add(t.Context(), noon.Add(time.Duration(i)*time.Hour), noon.Add(time.Duration(i+1)*time.Hour), kwh(1)))
	}
	m = meterWith(t, MeterConfig{Provider: m.cfg.Provider, State: stateOf(t, m)})
	require.InDelta(t, 12, m.Totals().KWh, 1e-12)
	require.ErrorContains(t, m.Add(t.Context(), noon, noon.Add(1), Energy{Joules: 1, Source: "\xff"}), "UTF-8")
	require.ErrorContains(t, m.Add(t.Context(), noon, noon.Add(1), Energy{Joules: 1, Source: string(make([]byte, 201))}), "200 bytes")
	for _, at := range []time.Time{{}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		require.Error(t, m.Add(t.Context(), at.Add(-1), at.Add(1), kwh(1)))
	}
}

func TestMeterManySources(t *testing.T) {
	t.Parallel()
	m := meterWith(t, MeterConfig{Provider: hourly(100)})
	for i := range maxTracks {
		require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Minute), Energy{Joules: 1, Source: "gpu " + strconv.Itoa(i)}))
	}
	require.ErrorContains(t, m.Add(t.Context(), noon, noon.Add(time.Minute), Energy{Joules: 1, Source: "one more"}), "more than 1024 sources")
	m = meterWith(t, MeterConfig{Provider: hourly(100), State: stateOf(t, m)})
	require.InDelta(t, maxTracks/joulesPerKWh, m.Totals().KWh, 1e-15)
}

// TestMeterSums: a million small parts beside a large one are not lost in its rounding.
func TestMeterSums(t *testing.T) {
	t.Parallel()
	var s sum
	plain := 0.
	s.add(1e16)
	plain += 1e16
	for range 1_000_000 {
		s.add(.1)
		plain += .1
	}
	require.InDelta(t, 1e5, s.value()-1e16, 4)
	require.Zero(t, plain-1e16, "what a plain sum makes of it")
	require.True(t, s.valid())
	for _, bad := range []sum{{-1, 0}, {1, 2}, {math.NaN(), 0}, {1, math.NaN()}, {math.Inf(1), 0}, {math.MaxFloat64, 0}} {
		require.False(t, bad.valid(), "%v", bad)
	}
}

func TestMeterGaps(t *testing.T) {
	t.Parallel()
	var told []Interval
	m := meterWith(t, MeterConfig{Provider: hourly(100, 100, 100), Start: noon, OnInterval: func(i Interval) { told = append(told, i) }})
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	gpu := Energy{Joules: joulesPerKWh, Source: "gpu"}
	require.NoError(t, m.Add(t.Context(), at(0), at(10), gpu))
	require.NoError(t, m.Gap("gpu", at(5), at(20), errDown), "what is counted already is no gap")
	require.NoError(t, m.Gap("gpu", at(6), at(12), errDown))
	require.NoError(t, m.Add(t.Context(), at(20), at(30), gpu))
	got := m.Totals()
	require.Equal(t, 10*time.Minute, got.UnknownTime)
	require.EqualValues(t, 1, got.Gaps)
	require.InDelta(t, 2, got.KWh, 1e-12, "unknown, not 0 and not counted")
	require.False(t, got.Complete())
	require.ErrorIs(t, got.LastErr, errDown)
	require.Len(t, told, 3)
	require.Equal(t, Interval{From: at(10), To: at(20), Energy: "gpu", Reason: errDown.Error()}, told[1])
	for name, err := range map[string]error{
		"empty": m.Gap("gpu", at(30), at(30), errDown), "no source": m.Gap("", at(30), at(31), errDown), "no reason": m.Gap("gpu", at(30), at(31), nil),
		"nil": (*Meter)(nil).Gap("gpu", at(30), at(31), errDown),
	} {
		require.ErrorContains(t, err, "carbon: meter", name)
	}
	m = meterWith(t, MeterConfig{Provider: hourly(100), Start: noon, State: stateOf(t, m)})
	require.False(t, m.Totals().Complete(), "after a restart too")
}

// TestMeterSample: counters feed the meter; what they lose is a gap, what fails comes later.
func TestMeterSample(t *testing.T) {
	t.Parallel()
	v := uint64(0)
	var fail error
	c, err := NewCounter(CounterConfig{Name: "gpu", Joules: 1, MaxWatts: 1000, Read: func() (uint64, error) { return v, fail }}, noon)
	require.NoError(t, err)
	m := meterWith(t, MeterConfig{Provider: hourly(100, 300)})
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	v = 36_000
	require.NoError(t, m.Sample(t.Context(), at(10), c))
	fail = errDown
	require.ErrorIs(t, m.Sample(t.Context(), at(20), c), errDown)
	require.Zero(t, m.Totals().Gaps, "nothing is lost yet")
	fail, v = nil, 108_000
	require.NoError(t, m.Sample(t.Context(), at(30), c))
	require.InDelta(t, .03, m.Totals().KWh, 1e-12)
	v = 10 // the driver was loaded again
	require.ErrorIs(t, m.Sample(t.Context(), at(40), c), ErrCounterReset)
	require.Equal(t, 10*time.Minute, m.Totals().UnknownTime)
	v = 36_010
	require.NoError(t, m.Sample(t.Context(), at(50), c))
	require.InDelta(t, .04, m.Totals().KWh, 1e-12)
	require.InDelta(t, 4, float64(m.Totals().Grams), 1e-9)
	require.Error(t, (*Meter)(nil).Sample(t.Context(), noon, c))

	// Energy that Add refuses is not forgotten.
	m = meterWith(t, MeterConfig{Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		return Reading{Intensity: 1, Signal: Marginal, Basis: Measured, From: at, To: at.Add(time.Hour)}, nil
	})})
	v = 72_010
	require.ErrorIs(t, m.Sample(t.Context(), at(60), c), ErrSignal)
	require.Equal(t, 10*time.Minute, m.Totals().UnknownTime)
}

func TestMeterTellsProvenance(t *testing.T) {
	t.Parallel()
	p := ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		from := at.Truncate(time.Hour)
		if from.Equal(noon.Add(time.Hour)) {
			return Reading{}, &NoDataError{Zone: "XX", At: at, Until: noon.Add(2 * time.Hour)}
		}
		r := reading(100, from, from.Add(time.Hour))
		r.Basis, r.Strategy, r.Scope, r.ExpectedError, r.Newest = Estimated, Yearly, Lifecycle, .25, noon.Add(-24*time.Hour)
		return r, nil
	})
	var told []Interval
	var m *Meter
	m = meterWith(t, MeterConfig{Provider: p, OnInterval: func(i Interval) {
		told = append(told, i)
		_ = m.Totals() // the callback may ask the meter
	}})
	require.NoError(t, m.Add(t.Context(), noon.Add(30*time.Minute), noon.Add(150*time.Minute), Energy{Joules: joulesPerKWh, Source: "gpu"}))
	require.Len(t, told, 3)
	require.Equal(t, Interval{
		From: noon.Add(30 * time.Minute), To: noon.Add(time.Hour), Energy: "gpu", EnergyKnown: true, KWh: .25,
		Known: true, GramsPerKWh: 100, Grams: 25, Signal: "average", Basis: "estimated", Scope: "lifecycle", Strategy: "yearly", Zone: "XX", Source: "test",
		ValidFrom: noon, ValidTo: noon.Add(time.Hour), AgeSeconds: 24.5 * 3600, ExpectedError: .25,
	}, told[0])
	require.False(t, told[1].Known)
	require.True(t, told[1].EnergyKnown)
	require.Contains(t, told[1].Reason, "no intensity known")
	text, err := json.Marshal(told[1])
	require.NoError(t, err)
	require.NotContains(t, string(text), "grams", "unknown, not 0")
	sum := 0.
	for i, x := range told {
		sum += x.KWh
		if i > 0 {
			require.Equal(t, told[i-1].To, x.From, "no hole between the intervals")
		}
		_, err := json.Marshal(x)
		require.NoError(t, err)
	}
	require.InDelta(t, 1, sum, 1e-12)
	got := m.Totals()
	require.InDelta(t, 50, float64(got.Grams), 1e-9)
	require.InDelta(t, 12.5, float64(got.ErrorGrams), 1e-9, "what the strategy is known to err")
	require.Zero(t, got.UnratedKWh)
	require.Equal(t, Yearly, got.Shares[1].Strategy)
}

func TestMeterAddAllocs(t *testing.T) {
	tr := readTrace(t, year(), TraceOptions{})
	m := newMeter(t, tr)
	ctx := t.Context()
	at := noon
	add := func() {
		if err := m.Add(ctx, at, at.Add(time.Second), Energy{Joules: 250, Source: "gpu"}); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Second)
	}
	add()
	require.Zero(t, testing.AllocsPerRun(1000, add), "a step costs no memory")
}

func FuzzMeterState(f *testing.F) {
	m := meterWith(f, MeterConfig{Provider: hourly(100, math.NaN()), Start: noon})
	if err := m.Add(context.Background(), noon, noon.Add(2*time.Hour), kwh(1)); err != nil {
		f.Fatal(err)
	}
	if err := m.Gap("gpu", noon, noon.Add(time.Hour), errDown); err != nil {
		f.Fatal(err)
	}
	f.Add(stateOf(f, m))
	f.Add([]byte(fmt.Sprintf(`{"version":1,"start":%q,"scope":0,"gap_ns":0,"gaps":0,"shares":null,"sources":null}`, noon.Format(time.RFC3339))))
	f.Fuzz(func(t *testing.T, state []byte) {
		cfg := MeterConfig{Provider: hourly(100), Start: noon, State: state}
		m, err := NewMeter(cfg)
		if err != nil || len(state) == 0 {
			return
		}
		got := m.Totals()
		require.GreaterOrEqual(t, got.KWh, 0.)
		cfg.State = stateOf(t, m)
		again, err := NewMeter(cfg)
		require.NoError(t, err, "what was read can be written and read again")
		require.Equal(t, string(cfg.State), string(stateOf(t, again)))
	})
}

// TestMeterFailureBesideSuccess: an Add that fails while another one of its source succeeds takes nothing of that one back.
func TestMeterFailureBesideSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type slow struct{}
		m := meterWith(t, MeterConfig{Start: noon, Provider: ProviderFunc(func(ctx context.Context, at time.Time) (Reading, error) {
			r := reading(100, at, at.Add(time.Hour))
			if ctx.Value(slow{}) != nil {
				<-time.After(time.Minute)
				r.Signal = Marginal
			}
			return r, nil
		})})
		e := Energy{Joules: joulesPerKWh, Source: "workers", Estimated: true}
		done := make(chan error)
		go func() {
			done <- m.Add(context.WithValue(t.Context(), slow{}, true), noon, noon.Add(time.Hour), e)
		}()
		synctest.Wait()
		require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Hour), e))
		require.ErrorIs(t, <-done, ErrSignal)
		require.NoError(t, m.Add(t.Context(), noon.Add(time.Hour), noon.Add(2*time.Hour), e))
		require.Zero(t, m.tracks["workers"].wait, "it worked without a pause")
	})
}
