package lattice

// UnderRace is for the tests outside of the package.
const UnderRace = underRace
