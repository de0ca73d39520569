package carbon

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
)

// ErrRegion is returned for a cloud region that the table does not have.
var ErrRegion = errors.New("carbon: unknown cloud region")

//go:embed figures/regions.csv
var regionsCSV string

// Region is a cloud region and the grid that feeds it.
type Region struct {
	Cloud   string // "aws", "azure" or "gcp"
	Name    string // as its cloud calls it
	Zone    string // the Electricity Maps key of the grid zone
	Country string // ISO 3166-1 alpha-2
	Place   string // the town or state of the region
}

// LookupRegion finds the grid zone of a cloud region. The cloud is "aws", "azure" or "gcp", the region named as the cloud does
// ("us-east-1", "westeurope", "europe-west3"); case does not matter. A region that is not in the table is [ErrRegion], never the
// zone of another one.
//
// The zone is the one whose grid serves the place of the region. It says nothing of contracts of the operator for other power.
func LookupRegion(cloud, name string) (Region, error) {
	cloud, name = strings.ToLower(cloud), strings.ToLower(name)
	for row := range rows(regionsCSV) {
		if f := strings.Split(row, ","); f[0] == cloud && f[1] == name {
			country, _, _ := strings.Cut(f[2], "-")
			return Region{Cloud: f[0], Name: f[1], Zone: f[2], Country: country, Place: f[3]}, nil
		}
	}
	return Region{}, fmt.Errorf("%w: %q of cloud %q", ErrRegion, clip(name), clip(cloud))
}
