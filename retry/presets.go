package retry

import (
	"errors"
	"io/fs"
	"time"
)

// ForStep is the policy for a training step in a Runner: 3 attempts, around 5 and 10 s apart. A step is long, each attempt
// costs its compute and is charged to the privacy budget, and a fault that is still there after the state was restored
// twice is seldom one that goes away: a checkpoint and another machine help more. The delays are short beside a step, and
// long enough for a device to be reset or a peer to come back.
func ForStep() Policy {
	return Policy{Attempts: 3, Delays: Exponential{Base: 5 * time.Second, Max: 2 * time.Minute}}
}

// ForLoading is the policy for reading data: 5 attempts, with delays of up to 4, 8, 16 and 32 s. Reading changes nothing, so
// trying is cheap; but the workers of many jobs lose the same storage at the same moment, so the delays have full jitter.
// A file that is not there, or not to be read, is tried once more only: a share may lag behind, a wrong path does not mend.
func ForLoading() Policy {
	return Policy{
		Attempts: 5,
		Delays:   Exponential{Base: 2 * time.Second, Max: time.Minute, Jitter: FullJitter},
		Classes:  []Class{{Match: noAccess, Attempts: 2}},
	}
}

// ForCheckpoint is the policy for writing a checkpoint: 8 attempts over some two minutes. A checkpoint that is lost costs
// all the work since the last one, which is worth a pause; the delays grow slowly, because what fails is mostly storage that
// is full or busy for a while. What the operating system forbids is tried once more only.
func ForCheckpoint() Policy {
	return Policy{
		Attempts: 8,
		Delays:   Fibonacci{Base: 5 * time.Second, Max: time.Minute},
		Classes:  []Class{{Match: noAccess, Attempts: 2}},
	}
}

// ForProvider is the policy for asking a service, such as one for carbon intensity: 4 attempts within 2 minutes, with
// decorrelated jitter. After that a cached or an expected value serves better than the true one too late, so a service that
// asks for a longer wait is given up on at once. A timeout has cost its whole time and is tried once more only. Set Budget
// to one that is shared by all who ask the same service.
func ForProvider() Policy {
	return Policy{
		Attempts:   4,
		Delays:     Decorrelated{Base: time.Second, Max: 30 * time.Second},
		Classes:    []Class{{Match: TimedOut, Attempts: 2}},
		MaxElapsed: 2 * time.Minute,
	}
}

func noAccess(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}
