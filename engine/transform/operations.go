package transform

import (
	"maps"
	"slices"
)

// operations maps the types of transforms to the functions that read their attributes.
var (
	operations     map[string]func(*definition) operation
	operationNames []string
)

func init() { // A literal would refer to itself, because transforms nest.
	operations = map[string]func(*definition) operation{
		"accountAttribute":          newAccountAttribute,
		"base64Decode":              onText(base64Decode),
		"base64Encode":              onText(base64Encode),
		"concat":                    newConcat,
		"conditional":               newConditional,
		"dateCompare":               newDateCompare,
		"dateFormat":                newDateFormat,
		"dateMath":                  newDateMath,
		"decomposeDiacriticalMarks": onText(decomposeDiacriticalMarks),
		"displayName":               newDisplayName,
		"e164phone":                 newPhone,
		"firstValid":                newFirstValid,
		"identityAttribute":         newIdentityAttribute,
		"indexOf":                   newIndexOf,
		"iso3166":                   newCountry,
		"join":                      newJoin,
		"lastIndexOf":               newLastIndexOf,
		"leftPad":                   newLeftPad,
		"lookup":                    newLookup,
		"lower":                     onText(lower),
		"normalizeNames":            onText(normalizeNames),
		"randomAlphaNumeric":        newRandomAlphaNumeric,
		"randomNumeric":             newRandomNumeric,
		"reference":                 newReference,
		"replace":                   newReplace,
		"replaceAll":                newReplaceAll,
		"rfc5646":                   newLanguage,
		"rightPad":                  newRightPad,
		"rule":                      newRule,
		"split":                     newSplit,
		"static":                    newStatic,
		"substring":                 newSubstring,
		"trim":                      onText(trim),
		"upper":                     onText(upper),
		"usernameGenerator":         newUsernameGenerator,
		"uuid":                      newUUID,
	}
	operationNames = slices.Sorted(maps.Keys(operations))
}

// Operations returns the names of the types of transforms, sorted.
func Operations() []string { return slices.Clone(operationNames) }
