//go:build !(cgo && linux)

package gpu

// systemDriver says that this build has none.
func systemDriver() driver { return none{} }

type none struct{}

func (none) open() error                       { return ErrUnsupported }
func (none) close() error                      { return nil }
func (none) devices() ([]device, error)        { return nil, ErrUnsupported }
func (none) listen([]device) (eventSet, error) { return nil, errNoEvents }
