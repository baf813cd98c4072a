package configuration

// JSONMax is for the tests.
const JSONMax = configurationJSONMax
