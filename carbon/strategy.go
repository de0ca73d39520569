package carbon

// Strategy is how a value was come by, best first. The zero value is a reading straight from its source.
type Strategy uint8

const (
	// Fresh was asked for just now, or less than the cache's TTL ago.
	Fresh Strategy = iota + 1
	// Cached was said earlier for this very time, and the source cannot be asked again.
	Cached
	// Climatology is worked out from the zone's own past: its usual day and how far the last value was from it.
	Climatology
	// Neighbour is another zone's value, scaled by the ratio of the two levels over a week.
	Neighbour
	// Typical is the zone's mean of an earlier year with the usual shape of its day.
	Typical
	// Yearly is the zone's mean of an earlier year.
	Yearly
	// Country is the mean of an earlier year of the country that the zone lies in.
	Country
	// World is the mean of the world.
	World
)

// String returns the name of the strategy in lower case, "direct" for the zero value.
func (s Strategy) String() string {
	switch s {
	case 0:
		return "direct"
	case Fresh:
		return "fresh"
	case Cached:
		return "cached"
	case Climatology:
		return "climatology"
	case Neighbour:
		return "neighbour"
	case Typical:
		return "typical"
	case Yearly:
		return "yearly"
	case Country:
		return "country"
	case World:
		return "world"
	default:
		return "unknown"
	}
}
