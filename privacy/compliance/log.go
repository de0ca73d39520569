package compliance

import "time"

// Log is the result of verifying an audit log.
type Log struct {
	Entries uint64 `json:"entries"`
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
	// Back is by how much the clock went back at most, in nanoseconds.
	Back time.Duration `json:"back"`
}

// LogWalk collects a Log while the entries of an audit log are verified one by one. The zero LogWalk is ready.
type LogWalk struct {
	log Log
	seq uint64
}

// Entry notes the next entry, with its number and time.
func (w *LogWalk) Entry(seq uint64, at time.Time) {
	if w.log.Entries == 0 {
		w.log.First = at
		if seq != 1 {
			w.log.Gaps++
		}
	} else {
		if seq != w.seq+1 {
			w.log.Gaps++
		}
		w.log.Back = max(w.log.Back, w.log.Last.Sub(at))
	}
	w.log.Entries++
	w.log.Last, w.seq = at, seq
}

// Log returns what was collected: head names the last entry, kept says whether a head that was kept elsewhere was found, and err is
// what ended the verification early, nil if nothing did.
func (w *LogWalk) Log(head string, kept Answer, err error) Log {
	l := w.log
	l.Head, l.HeadKept = clip(head), kept
	if err != nil {
		l.Damage = clip(err.Error())
	}
	return l
}
