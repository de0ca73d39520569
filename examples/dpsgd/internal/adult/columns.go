package adult

import "math"

// column is one of the fifteen columns of the file. Everything here is fixed in advance from the published description of
// the data: categories, bounds and scales taken from the rows themselves would be a release of their own, outside the
// privacy that a training run accounts for.
type column struct {
	name   string
	values []string // of a categorical column: a feature each

	// Of a column of whole numbers. Its features are the ranges that the edges make: below the first edge, from each edge
	// to the next, and from the last on. Without edges it is checked and then ignored.
	min, max int
	edges    []int
}

// width is the number of features of the column; a row has exactly one of them, if there are any.
func (c *column) width() int {
	if len(c.edges) > 0 {
		return len(c.edges) + 1
	}
	return len(c.values)
}

var columns = []column{
	{name: "age", max: 120, edges: []int{22, 26, 30, 35, 40, 45, 50, 55, 60, 65}},
	{name: "type_employer", values: []string{
		"Federal-gov", "Local-gov", "Never-worked", "Private", "Self-emp-inc", "Self-emp-not-inc", "State-gov", "Without-pay",
	}},
	{name: "fnlwgt", max: math.MaxInt32}, // a survey weight, not a property of the person
	{name: "education", values: []string{
		"10th", "11th", "12th", "1st-4th", "5th-6th", "7th-8th", "9th", "Assoc-acdm", "Assoc-voc", "Bachelors", "Doctorate",
		"HS-grad", "Masters", "Preschool", "Prof-school", "Some-college",
	}},
	{name: "education_num", min: 1, max: 16}, // says the same as education
	{name: "marital", values: []string{
		"Divorced", "Married-AF-spouse", "Married-civ-spouse", "Married-spouse-absent", "Never-married", "Separated",
		"Widowed",
	}},
	{name: "occupation", values: []string{
		"Adm-clerical", "Armed-Forces", "Craft-repair", "Exec-managerial", "Farming-fishing", "Handlers-cleaners",
		"Machine-op-inspct", "Other-service", "Priv-house-serv", "Prof-specialty", "Protective-serv", "Sales",
		"Tech-support", "Transport-moving",
	}},
	{name: "relationship", values: []string{
		"Husband", "Not-in-family", "Other-relative", "Own-child", "Unmarried", "Wife",
	}},
	{name: "race", values: []string{"Amer-Indian-Eskimo", "Asian-Pac-Islander", "Black", "Other", "White"}},
	{name: "sex", values: []string{"Female", "Male"}},
	{name: "capital_gain", max: 99999, edges: []int{1, 1000, 2000, 5000, 10000, 20000, 50000}},
	{name: "capital_loss", max: 99999, edges: []int{1, 500, 1000, 1500, 2000, 2500}},
	{name: "hr_per_week", max: 168, edges: []int{20, 30, 35, 40, 41, 45, 50, 60}},
	{name: "country", values: []string{
		"Cambodia", "Canada", "China", "Columbia", "Cuba", "Dominican-Republic", "Ecuador", "El-Salvador", "England",
		"France", "Germany", "Greece", "Guatemala", "Haiti", "Holand-Netherlands", "Honduras", "Hong", "Hungary", "India",
		"Iran", "Ireland", "Italy", "Jamaica", "Japan", "Laos", "Mexico", "Nicaragua", "Outlying-US(Guam-USVI-etc)", "Peru",
		"Philippines", "Poland", "Portugal", "Puerto-Rico", "Scotland", "South", "Taiwan", "Thailand", "Trinadad&Tobago",
		"United-States", "Vietnam", "Yugoslavia",
	}},
	{name: "income"}, // the label
}

var classes = []string{"<=50K", ">50K"}

// The columns make this many features, of which a row has this many, the constant one included. A test counts them.
const (
	features = 135
	present  = 13
)
