package gpu

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/surefoot-ml/surefoot/resources"
)

// healthy is a GPU at full load, at its power limit.
func healthy() Device {
	return Device{
		UUID: "GPU-1", Name: "NVIDIA H100 80GB HBM3", Busy: resources.Of(.99), Clock: resources.Of(1400.0), MaxClock: resources.Of(1980.0),
		Temperature: resources.Of(70.0), SlowdownAt: resources.Of(87.0), Reasons: resources.Of(PowerCap),
		ECC:  ECC{Enabled: resources.Of(true), Corrected: resources.Of[uint64](12), Uncorrected: resources.Of[uint64](0), Lifetime: resources.Of[uint64](3), SRAMWorn: resources.Of(false)},
		Rows: resources.Of(Rows{Correctable: 4, Uncorrectable: 2}), Recovery: resources.Of(NoRecovery), Split: resources.Of(false),
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	reset := time.Unix(1000, 0)
	event := func(seconds int64, xid int) Event { return Event{At: time.Unix(seconds, 0), XID: xid} }
	for name, tt := range map[string]struct {
		change func(*Device)
		want   []Finding // without texts
	}{
		"fine":                      {func(*Device) {}, nil},
		"nothing is known":          {func(d *Device) { *d = Device{} }, nil},
		"lost":                      {func(d *Device) { *d = Device{Lost: true} }, []Finding{{Action: Reboot, Name: "lost"}}},
		"hung":                      {func(d *Device) { *d = Device{Hung: true} }, []Finding{{Action: Watch, Name: "hung"}}},
		"the driver asks":           {func(d *Device) { d.Recovery = resources.Of(DrainAndReset) }, []Finding{{Action: Reset, Name: "recovery"}}},
		"an application's fault":    {func(d *Device) { d.Events = []Event{event(2000, 31)} }, []Finding{{Action: Restart, Name: "xid 31"}}},
		"dealt with by the reset":   {func(d *Device) { d.Events = []Event{event(999, 79), event(1000, 48)} }, nil},
		"the same again":            {func(d *Device) { d.Events = []Event{event(2000, 94), event(2001, 94)} }, []Finding{{Action: Restart, Name: "xid 94"}}},
		"a number not yet known":    {func(d *Device) { d.Events = []Event{event(2000, 9999)} }, []Finding{{Action: Watch, Name: "xid 9999"}}},
		"without a number":          {func(d *Device) { d.Events = []Event{{At: time.Unix(2000, 0), DoubleBit: true}} }, []Finding{{Action: Watch, Name: "double-bit error"}}},
		"uncorrectable":             {func(d *Device) { d.ECC.Uncorrected.V = 1 }, []Finding{{Action: Watch, Name: "ecc"}}},
		"worn":                      {func(d *Device) { d.ECC.SRAMWorn.V = true }, []Finding{{Action: Replace, Name: "sram worn"}}},
		"row pending":               {func(d *Device) { d.Rows.V.Pending = true }, []Finding{{Action: Watch, Name: "rows pending"}}},
		"no row left, and more":     {func(d *Device) { d.Rows.V = Rows{Pending: true, Failed: true} }, []Finding{{Action: Replace, Name: "rows failed"}, {Action: Watch, Name: "rows pending"}}},
		"pages":                     {func(d *Device) { d.Pages = resources.Of(Pages{SingleBit: 31, DoubleBit: 32, Pending: true}) }, []Finding{{Action: Watch, Name: "pages pending"}}},
		"page table full":           {func(d *Device) { d.Pages = resources.Of(Pages{SingleBit: 32, DoubleBit: 32}) }, []Finding{{Action: Replace, Name: "pages full"}}},
		"hot, and slowed down":      {func(d *Device) { d.Temperature.V = 87; d.Reasons.V |= HardwareThermal }, []Finding{{Action: Watch, Name: "throttled"}, {Action: Watch, Name: "hot"}}},
		"threshold not known":       {func(d *Device) { d.Temperature.V = 120; d.SlowdownAt.OK = false; d.SlowdownAt.V = 0 }, nil},
		"fallen clock":              {func(d *Device) { d.Clock.V = 345; d.Reasons.V = 0 }, []Finding{{Action: Watch, Name: "clock"}}},
		"fallen clock, not told":    {func(d *Device) { d.Clock.V = 345; d.Reasons = resources.Value[Reasons]{} }, []Finding{{Action: Watch, Name: "clock"}}},
		"fallen clock, unknown bit": {func(d *Device) { d.Clock.V = 345; d.Reasons.V = 1 << 40 }, []Finding{{Action: Watch, Name: "clock"}}},
		"low for want of work":      {func(d *Device) { d.Clock.V, d.Busy.V = 345, .1 }, nil},
		"low since it was set so":   {func(d *Device) { d.Clock.V, d.Reasons.V = 345, ClockSetting }, nil},
		"low, one finding is enough": {
			func(d *Device) { d.Clock.V, d.Reasons.V = 345, PowerBrake|HardwareSlowdown },
			[]Finding{{Action: Watch, Name: "throttled"}},
		},
		"the gravest first": {
			func(d *Device) {
				d.ECC.Uncorrected.V, d.Events = 1, []Event{event(2000, 63), event(2001, 48), event(2002, 79)}
			},
			[]Finding{{Action: Reboot, Name: "xid 79"}, {Action: Reset, Name: "xid 48"}, {Action: Watch, Name: "xid 63"}, {Action: Watch, Name: "ecc"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := healthy()
			tt.change(&d)
			found := Health(d, reset)
			for i := range found {
				require.NotEmpty(t, found[i].Text)
				found[i].Text = ""
			}
			require.Equal(t, tt.want, found)
		})
	}
}

func TestXIDAction(t *testing.T) {
	t.Parallel()
	for xid, want := range map[int]Action{
		13: Restart, 31: Restart, 43: Watch, 45: Watch, 48: Reset, 63: Watch, 64: Replace, 74: Reset, 79: Reboot,
		92: Watch, 94: Restart, 95: Reset, 119: Reset, 120: Reset, 140: Reset, 154: Watch, 0: Watch, -1: Watch, 1 << 20: Watch,
	} {
		got, text := XIDAction(xid)
		require.Equal(t, want, got, "xid %d", xid)
		require.NotEmpty(t, text)
	}
}

func TestRecoveries(t *testing.T) {
	t.Parallel()
	for code, want := range []Action{Nothing, Reset, Reboot, Restart, Reset, Restart, Reset, Reboot} {
		recovery, known := recoveryOf(uint32(code))
		require.True(t, known)
		require.Equal(t, want, recovery.action(), "%d %s", code, recovery)
	}
	_, known := recoveryOf(8)
	require.False(t, known)
}

func TestReasons(t *testing.T) {
	t.Parallel()
	require.Equal(t, "none", Reasons(0).String())
	require.Equal(t, "power cap, hardware thermal, 0x10000000000", (PowerCap | HardwareThermal | 1<<40).String())
	text, err := json.Marshal(resources.Of(Idle | Reliability))
	require.NoError(t, err)
	require.JSONEq(t, `"idle, reliability"`, string(text))
	require.Equal(t, "replace", Replace.String())
	require.Equal(t, "action 9", Action(9).String())
}

func steps(ms ...float64) []time.Duration {
	out := []time.Duration{}
	for _, v := range ms {
		out = append(out, time.Duration(v*float64(time.Millisecond)))
	}
	return out
}

func TestPaces(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps  [][]time.Duration
		slower float64
		want   []int // the stragglers
	}{
		"nobody":                            {nil, 0, nil},
		"no steps":                          {[][]time.Duration{{}, {}, {}}, 0, nil},
		"all the same":                      {[][]time.Duration{steps(100), steps(100), steps(100)}, 0, nil},
		"one slow":                          {[][]time.Duration{steps(100), steps(101), steps(99), steps(130)}, 0, []int{3}},
		"one slow among the same":           {[][]time.Duration{steps(100), steps(100), steps(100), steps(100), steps(100), steps(130)}, 0, []int{5}},
		"one slow among few the same":       {[][]time.Duration{steps(100), steps(100), steps(100), steps(130)}, 0, []int{3}},
		"one a tick slower":                 {[][]time.Duration{steps(100), steps(100), steps(100), steps(101)}, 0, nil},
		"one slow step":                     {[][]time.Duration{steps(100, 100, 100), steps(101, 99, 101), steps(99, 900, 100)}, 0, nil},
		"one fast":                          {[][]time.Duration{steps(100), steps(101), steps(99), steps(50)}, 0, nil},
		"significant but small":             {[][]time.Duration{steps(100), steps(100.01), steps(99.99), steps(102)}, 0, nil},
		"small is asked for":                {[][]time.Duration{steps(100), steps(100.01), steps(99.99), steps(102)}, .01, []int{3}},
		"two cannot tell":                   {[][]time.Duration{steps(100), steps(900)}, 0, nil},
		"two with steps cannot tell":        {[][]time.Duration{steps(100), steps(900), {}}, 0, nil},
		"almost half cannot hide":           {[][]time.Duration{steps(100), steps(101), steps(99), steps(100.5), steps(200), steps(205), steps(195)}, 0, []int{4, 5, 6}},
		"noise":                             {[][]time.Duration{steps(90), steps(110), steps(100), steps(105), steps(95), steps(120)}, 0, nil},
		"steps of no time":                  {[][]time.Duration{steps(0), steps(0), steps(0), steps(9)}, 0, nil},
		"worker without steps is left out":  {[][]time.Duration{steps(100), {}, steps(101), steps(99), steps(150)}, 0, []int{4}},
		"the longest that can be expressed": {[][]time.Duration{{math.MaxInt64}, {math.MaxInt64}, {math.MaxInt64 - 1}}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paces, err := Paces(tt.steps, tt.slower)
			require.NoError(t, err)
			require.Len(t, paces, len(tt.steps))
			var got []int
			for i, p := range paces {
				require.Equal(t, len(tt.steps[i]) > 0, p.Step.OK)
				require.Equal(t, p.Step.OK, p.Score.OK)
				require.False(t, math.IsNaN(p.Score.V))
				if p.Straggler {
					got = append(got, i)
				}
			}
			require.Equal(t, tt.want, got)
		})
	}
	_, err := Paces([][]time.Duration{{-1}}, 0)
	require.ErrorContains(t, err, "worker 0")
	_, err = Paces(nil, math.NaN())
	require.Error(t, err)
}

func TestScores(t *testing.T) {
	t.Parallel()
	require.Empty(t, Scores(nil))
	// By hand: median 3, distances 2 1 0 1 97, their median 1.
	got := Scores([]float64{1, 2, 3, 4, 100})
	for i, want := range []float64{-2 * .6745, -.6745, 0, .6745, 97 * .6745} {
		require.InDelta(t, want, got[i], 1e-12)
	}
	got = Scores([]float64{5, math.NaN(), 5, math.Inf(1), 5})
	require.True(t, math.IsNaN(got[1]) && math.IsNaN(got[3]))
	require.Zero(t, got[0])
	require.True(t, math.IsNaN(Scores([]float64{math.NaN()})[0]))
}

// FuzzPaces holds the verdicts to what must be true of any group.
func FuzzPaces(f *testing.F) {
	f.Add([]byte{100, 101, 99, 130}, uint8(1))
	f.Add([]byte{5, 5, 5, 5, 200, 201}, uint8(2))
	f.Fuzz(func(t *testing.T, times []byte, each uint8) {
		var group [][]time.Duration
		for len(times) > 0 {
			n := min(int(each%8)+1, len(times))
			var worker []time.Duration
			for _, v := range times[:n] {
				worker = append(worker, time.Duration(v)*time.Millisecond)
			}
			group, times = append(group, worker), times[n:]
		}
		paces, err := Paces(group, 0)
		require.NoError(t, err)
		slow := 0
		for i, p := range paces {
			require.False(t, math.IsNaN(p.Score.V) || math.IsInf(p.Score.V, 0))
			if p.Straggler {
				slow++
				require.GreaterOrEqual(t, p.Slower.V, .05)
				for _, other := range paces { // who is slower still is one, too
					require.True(t, other.Straggler || other.Step.V < p.Step.V, "%d", i)
				}
			}
		}
		require.LessOrEqual(t, 2*slow, len(group), "most of a group are not slower than most of it")
		slices.Reverse(group)
		mirrored, err := Paces(group, 0)
		require.NoError(t, err)
		slices.Reverse(mirrored)
		for i := range paces {
			require.Equal(t, paces[i].Straggler, mirrored[i].Straggler)
		}
	})
}
