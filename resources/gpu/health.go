package gpu

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Action is what should be done about a GPU. Actions are compared by rank: each includes those below it.
type Action uint8

// The actions.
const (
	Nothing Action = iota
	Watch          // it works, but is not as it should be
	Restart        // the job that runs there must start again, from a checkpoint
	Reset          // the GPU must be reset, once all jobs are off it
	Reboot         // the machine must be restarted
	Replace        // it needs service
)

// String returns the name in lower case.
func (a Action) String() string {
	names := [...]string{"nothing", "watch", "restart", "reset", "reboot", "replace"}
	if int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// MarshalText writes the name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Finding is one thing that is wrong with a GPU.
type Finding struct {
	Action Action
	Name   string // short and stable: "xid 79", "rows failed"
	Text   string
}

const (
	// A page table has 64 entries: NVIDIA, GPU memory error management, table "row remapping".
	maxPages = 64
	// Hardware slowdowns cut the clock by a factor of 2 or more (nvml.h, nvmlClocksThrottleReasonHwSlowdown): a clock that
	// low, under load and without a reason given, has fallen.
	fallenClock = 0.5
	loaded      = 0.5 // below, the clock is low because there is little to do
)

// Health returns what is wrong with a GPU, the gravest first. Empty means that nothing is, as far as it was read. Of the
// events only those after since count: give the time of the last reset, or an error long dealt with would be found
// for ever. It is a pure function of the device.
//
// The rules: what the driver says itself, or does not say any more (lost, hung, recovery asked for); XID errors, see
// [XIDAction]; a failed replacement of a memory row, 64 retired pages, or worn SRAM: the maker's grounds for replacing it;
// pending replacements and uncorrectable errors, after which it works on; slowdowns by heat or power supply, but not
// the power cap, which is normal under full load; a temperature at which the hardware slows down; and a clock at half its
// maximum or less while busy, for which no reason is given.
func Health(d Device, since time.Time) []Finding {
	var found []Finding
	add := func(a Action, name, text string, args ...any) {
		found = append(found, Finding{Action: a, Name: name, Text: fmt.Sprintf(text, args...)})
	}
	if d.Lost {
		add(Reboot, "lost", "the driver cannot reach the GPU")
	}
	if d.Hung {
		add(Watch, "hung", "the driver does not answer for it")
	}
	if a := d.Recovery.V.action(); d.Recovery.OK && a > Nothing {
		add(a, "recovery", "the driver asks to %s", d.Recovery.V)
	}
	seen := map[string]bool{}
	for _, e := range slices.Backward(d.Events) {
		a, name, text := Watch, "double-bit error", "an uncorrectable memory error"
		if !e.DoubleBit {
			a, text = XIDAction(e.XID)
			name = fmt.Sprintf("xid %d", e.XID)
		}
		if !e.At.After(since) || seen[name] {
			continue
		}
		seen[name] = true
		add(a, name, "%s, last at %s", text, e.At.Format(time.RFC3339))
	}
	memoryHealth(d, add)
	speedHealth(d, add)
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(b.Action, a.Action) })
	return found
}

func memoryHealth(d Device, add func(Action, string, string, ...any)) {
	if rows := d.Rows.V; d.Rows.OK {
		if rows.Failed {
			add(Replace, "rows failed", "replacing a memory row has failed")
		}
		if rows.Pending {
			add(Watch, "rows pending", "a memory row is replaced at the next reset; what runs is not affected")
		}
	}
	if pages := d.Pages.V; d.Pages.OK {
		if n := pages.SingleBit + pages.DoubleBit; n >= maxPages {
			add(Replace, "pages full", "%d memory pages are retired, no more can be", n)
		}
		if pages.Pending {
			add(Watch, "pages pending", "a memory page is retired at the next reset")
		}
	}
	if d.ECC.SRAMWorn.OK && d.ECC.SRAMWorn.V {
		add(Replace, "sram worn", "errors of on-chip memory have passed the maker's limit")
	}
	if n := d.ECC.Uncorrected; n.OK && n.V > 0 {
		add(Watch, "ecc", "%d uncorrectable memory errors since the driver was loaded", n.V)
	}
}

func speedHealth(d Device, add func(Action, string, string, ...any)) {
	const slowed = HardwareSlowdown | HardwareThermal | PowerBrake | SoftwareThermal
	if r := d.Reasons.V & slowed; d.Reasons.OK && r != 0 {
		add(Watch, "throttled", "the clock is held down: %s", r)
	}
	if t, limit := d.Temperature, d.SlowdownAt; t.OK && limit.OK && t.V >= limit.V {
		add(Watch, "hot", "%.0f °C, it slows down from %.0f °C", t.V, limit.V)
	}
	const explained = slowed | Idle | ClockSetting | PowerCap | SyncBoost | DisplaySetting
	if d.Busy.OK && d.Busy.V >= loaded && d.Clock.OK && d.MaxClock.OK && d.Clock.V <= fallenClock*d.MaxClock.V && d.Reasons.V&explained == 0 {
		add(Watch, "clock", "%.0f of %.0f MHz while busy, and no reason given", d.Clock.V, d.MaxClock.V)
	}
}
