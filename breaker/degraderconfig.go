package breaker

import (
	"cmp"
	"fmt"
	"time"
)

// DegraderConfig configures a [Degrader]. Every field but Levels has a default.
type DegraderConfig[M any, S comparable] struct {
	// Name appears in changes.
	Name string
	// Normal are the settings when nothing is degraded.
	Normal S
	// Levels go from the mildest to the most severe.
	Levels []Level[M, S]
	// Dwell is how long a level lasts at least before it is left for a milder one. The default is a minute.
	Dwell time.Duration
	// OnChange is told of every change of level: in order, one at a time, outside any lock, by one of the goroutines that
	// call Update. It may call every method of the Degrader. A panic in it is discarded. While it runs, further changes
	// wait for it; Update does not.
	OnChange func(LevelChange[M])
}

// Level is a level of degradation.
type Level[M any, S comparable] struct {
	Name string
	// Enter and Exit leave a gap between them in which the level neither begins nor ends, or it will flap as often as
	// DegraderConfig.Dwell lets it. Where both hold, Enter counts.
	Enter, Exit Condition[M]
	// Settings are what steps go by at this level. They are compared with ==, so let S hold plain values: what a pointer
	// points to is not looked at, and an interface that holds a slice or a map makes NewDegrader panic.
	Settings S
}

// LevelChange is one change of level; From and To always differ.
type LevelChange[M any] struct {
	Name             string // DegraderConfig.Name
	From, To         int    // 0 is normal
	FromName, ToName string
	Condition        string // the name of the condition that was met: Enter of To, or Exit of From
	Measured         M      // what met it
	At               time.Time
}

// normal is the name of level 0.
const normal = "normal"

// bitsOfLevels is how many levels have a bit in what nextLevel is given.
const bitsOfLevels = 63

func (c DegraderConfig[M, S]) validate() error {
	if n := len(c.Levels); n < 1 || n > bitsOfLevels {
		return fmt.Errorf("breaker: %d Levels, not from 1 to %d", n, bitsOfLevels)
	}
	if c.Dwell < 0 {
		return fmt.Errorf("breaker: Dwell %v is negative", c.Dwell)
	}
	names := map[string]bool{normal: true}
	settings := map[S]string{c.Normal: normal}
	for i, l := range c.Levels {
		if l.Name == "" {
			return fmt.Errorf("breaker: level %d has no Name", i+1)
		}
		if names[l.Name] {
			return fmt.Errorf("breaker: level %d has the Name %q of another level", i+1, l.Name)
		}
		names[l.Name] = true
		if err := l.Enter.validate(); err != nil {
			return fmt.Errorf("breaker: level %q: Enter %w", l.Name, err)
		}
		if err := l.Exit.validate(); err != nil {
			return fmt.Errorf("breaker: level %q: Exit %w", l.Name, err)
		}
		if other, ok := settings[l.Settings]; ok {
			return fmt.Errorf("breaker: level %q changes nothing: its Settings are those of %q", l.Name, other)
		}
		settings[l.Settings] = l.Name
	}
	return nil
}

// withDefaults returns c complete, with levels that are its own.
func (c DegraderConfig[M, S]) withDefaults() DegraderConfig[M, S] {
	c.Dwell = cmp.Or(c.Dwell, time.Minute)
	c.Levels = append([]Level[M, S](nil), c.Levels...)
	return c
}
