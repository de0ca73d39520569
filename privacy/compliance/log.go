package compliance

import "time"

// Log is the result of verifying an audit log.
type Log struct {
	// Verified says that the chain of hashes was checked from the first entry to the last.
	Verified Answer `json:"verified,omitzero"`
	Entries  uint64 `json:"entries"`
	// Head names the last entry, with its hash.
	Head string `json:"head"`
	// Damage says where and how the chain of hashes is broken; empty if it is intact.
	Damage string `json:"damage,omitempty"`
	// HeadKept says that a head which was kept elsewhere is in the log: without one, cutting the newest entries does not show.
	HeadKept Answer    `json:"head_kept,omitzero"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	// Gaps is the number of entries that do not follow the one before by one.
	Gaps uint64 `json:"gaps"`
	// Back is by how much an entry is before the latest one that it follows, at most, in nanoseconds.
	Back time.Duration `json:"back"`
}

// LogWalk collects a Log while the entries of an audit log are verified one by one. The zero LogWalk is ready.
type LogWalk struct {
	log    Log
	seq    uint64
	latest time.Time
}

// Entry notes the next entry, with its number and time.
func (w *LogWalk) Entry(seq uint64, at time.Time) {
	at = at.Round(0) // the log has no monotonic clock
	if w.log.Entries == 0 {
		w.log.First, w.latest = at, at
		if seq != 1 {
			w.log.Gaps++
		}
	} else {
		if seq != w.seq+1 {
			w.log.Gaps++
		}
		w.log.Back = max(w.log.Back, w.latest.Sub(at))
		if at.After(w.latest) {
			w.latest = at
		}
	}
	w.log.Entries++
	w.log.Last, w.seq = at, seq
}

// Log returns what was collected: head names the last entry, kept says whether a head that was kept elsewhere was found, and err is
// what ended the verification early, nil if nothing did.
func (w *LogWalk) Log(head string, kept Answer, err error) Log {
	l := w.log
	l.Head, l.HeadKept, l.Verified = clip(head), kept, Yes
	if err != nil {
		l.Verified, l.Damage = No, clip(err.Error())
	}
	return l
}
