package configuration

import (
	"slices"
	"strings"
)

// Use says what becomes of a member of an object that is applied.
type Use string

// What becomes of members.
const (
	// Read is a member that counts.
	Read Use = "read"
	// Kept is a member that is stored and has no effect: whatever its value, no value, access or person differs.
	// Applying it notes it where its value is not the default.
	Kept Use = "kept"
	// Refused is a member whose value would change a value, access or a person, which the engine does not do. It is
	// applied only where its value is the default, or without it if the caller accepts the loss.
	Refused Use = "refused"
)

// Kind is what the value of a member is.
type Kind string

// The kinds of values.
const (
	KindText       Kind = "text"
	KindFlag       Kind = "true or false"
	KindWhole      Kind = "whole number"
	KindTime       Kind = "time"
	KindObject     Kind = "object"
	KindTexts      Kind = "list of texts"
	KindObjects    Kind = "list of objects"
	KindTransform  Kind = "transform"
	KindReference  Kind = "reference"
	KindReferences Kind = "list of references"
	KindMap        Kind = "object, by name"
	KindAny        Kind = "any"
)

// Member is one member of a type of objects.
type Member struct {
	Name string
	Use  Use
	Kind Kind
	// Default is the value, as JSON, that counts where the member is missing; "" for none: null, false, 0, an empty
	// text, list or object.
	Default string
	Example string // as JSON
	About   string // what it says
	// Why says why a kept member has no effect, or what is lost by a refused one.
	Why string
	// Secret says that the value must be a reference to a secret, and never the secret itself.
	Secret bool
	names  naming // what its text names outside of the tenant, but for a secret
	// Decides says that the member decides who has which value, access or account: applying a document that lacks it,
	// where the object has it, is refused.
	Decides bool
	// Shape are the members of an object, or of each object of a list; nil where they are not told apart.
	Shape *Shape
}

// Shape is the members that objects of a type have. The tables of this package are never changed.
type Shape struct {
	Name    string // such as "Schema"
	About   string
	Members []Member
	// Open says what members of other names are; "" where there are none. They are kept.
	Open string
	// Prefixed says that a member may have the name of a schema and a dot before it, such as group.hasHeader.
	Prefixed bool
	// Loose says that a single value may be of any type, as flags and numbers are texts in exports.
	Loose bool
}

// member returns the member of a name, or nil.
func (s *Shape) member(name string) *Member {
	at := slices.IndexFunc(s.Members, func(m Member) bool { return m.Name == name })
	if at < 0 && s.Prefixed {
		if schema, rest, found := strings.Cut(name, "."); found && schema != "" {
			at = slices.IndexFunc(s.Members, func(m Member) bool { return m.Name == rest })
		}
	}
	if at < 0 {
		return nil
	}
	return &s.Members[at]
}

// names returns the names of the members.
func (s *Shape) names() []string {
	names := make([]string, len(s.Members))
	for i := range s.Members {
		names[i] = s.Members[i].Name
	}
	return names
}

// read, kept and refused make members of the tables.
func read(name string, kind Kind, standard, example, about string, shape ...*Shape) Member {
	return newMember(Member{Name: name, Use: Read, Kind: kind, Default: standard, Example: example, About: about},
		shape)
}

func kept(name string, kind Kind, standard, example, about, why string, shape ...*Shape) Member {
	return newMember(Member{Name: name, Use: Kept, Kind: kind, Default: standard, Example: example, About: about,
		Why: why}, shape)
}

func refused(name string, kind Kind, standard, example, about, why string, shape ...*Shape) Member {
	return newMember(Member{Name: name, Use: Refused, Kind: kind, Default: standard, Example: example, About: about,
		Why: why}, shape)
}

// secretly says that the value of a member must be a reference to a secret.
func secretly(m Member) Member {
	m.Secret = true
	return m
}

// outside says what the text of a member names outside of the tenant.
func outside(names naming, m Member) Member {
	m.names = names
	return m
}

// decides says that a member decides who has which value, access or account.
func decides(m Member) Member {
	m.Decides = true
	return m
}

func newMember(m Member, shape []*Shape) Member {
	switch {
	case len(shape) > 0:
		m.Shape = shape[0]
	case m.Kind == KindReference || m.Kind == KindReferences:
		m.Shape = referenceShape
	}
	return m
}

// Shapes returns the shape of each type of objects, in the order in which the objects are applied. The settings are not
// among them: [Settings] has a table of its own.
func Shapes() []TypeShape {
	return []TypeShape{
		{TypeIdentityAttribute, identityAttributeShape}, {TypeTransform, transformShape}, {TypeSource, sourceShape},
		{TypeIdentityProfile, identityProfileShape}, {TypeAccessProfile, accessProfileShape},
		{TypeLifecycleState, lifecycleStateShape}, {TypeRole, roleShape},
	}
}

// TypeShape is a type of objects with its shape.
type TypeShape struct {
	Type  ObjectType
	Shape *Shape
}

// shapeOf returns the shape of a type, or nil if it has none.
func shapeOf(kind ObjectType) *Shape {
	for _, t := range Shapes() {
		if t.Type == kind {
			return t.Shape
		}
	}
	return nil
}

// Reasons why members have no effect, which several tables share.
const (
	whyDescribes   = "it only describes the object"
	whyTimes       = "the engine has times of its own"
	whyCounted     = "the engine counts by itself"
	whyRequests    = "access is requested elsewhere: what is assigned is given, whoever asked for it"
	whySegments    = "segments say who sees an object in another product's pages"
	whyOwnersToo   = "one owner is kept: the object belongs to that of owner"
	whyHealth      = "an aggregation says whether a source can be read"
	whyProduct     = "it tells another product how to run its connector: here the program's connector is used"
	whyPermissions = "entitlements are values of attributes: nothing else can be granted or taken away"
)

// The parts that objects of several types have.
var (
	referenceShape = &Shape{Name: "Reference", About: "Names another object, by ID, by name or by both.",
		Members: []Member{
			{Name: "type", Use: Read, Kind: KindText, Example: `"SOURCE"`, About: "the type of the object"},
			{Name: "id", Use: Read, Kind: KindText, Example: `"2c91808568c529c60168cca6f90c1324"`, About: "its ID"},
			{Name: "name", Use: Read, Kind: KindText, Example: `"HR"`, About: "its name, ignoring case"},
		}}
	approvalShape = &Shape{Name: "Approval", Members: []Member{
		kept("approverType", KindText, "", `"MANAGER"`, "who approves", whyRequests),
		kept("approverId", KindText, "", `"46c79819a69f49a2becb12c971ae66c6"`, "the approver's ID", whyRequests),
	}}
	durationShape = &Shape{Name: "AccessDuration", Members: []Member{
		kept("value", KindWhole, "", `6`, "how many", whyRequests),
		kept("timeUnit", KindText, "", `"MONTHS"`, "of what", whyRequests),
	}}
	dimensionAttributesShape = &Shape{Name: "DimensionSchema", Members: []Member{
		refused("dimensionAttributes", KindObjects, "", `[]`, "the attributes that choose a dimension",
			"roles have no dimensions: everybody would get the same"),
	}}
	requestShape = &Shape{Name: "AccessRequestConfig", About: "How access is requested and given back.",
		Members: []Member{
			kept("commentsRequired", KindFlag, "", `true`, "a request needs a comment", whyRequests),
			kept("denialCommentsRequired", KindFlag, "", `true`, "a denial needs a comment", whyRequests),
			kept("reauthorizationRequired", KindFlag, "", `true`, "the approver signs in again", whyRequests),
			kept("requireEndDate", KindFlag, "", `true`, "a request needs an end date", whyRequests),
			kept("maxPermittedAccessDuration", KindObject, "", `{"value": 6, "timeUnit": "MONTHS"}`,
				"the longest time of a request", whyRequests, durationShape),
			kept("approvalSchemes", KindObjects, "", `[]`, "who approves a request", whyRequests, approvalShape),
			refused("dimensionSchema", KindObject, "", `{"dimensionAttributes": []}`,
				"the attributes that choose a dimension", "roles have no dimensions", dimensionAttributesShape),
			kept("formDefinitionId", KindText, "", `"78258e80e9e24e1aa11fce0b7c62f25d"`, "the form of a request",
				whyRequests),
		}}
	metadataValueShape = &Shape{Name: "AccessModelMetadataValue", Members: []Member{
		kept("value", KindText, "", `"public"`, "its technical name", whyDescribes),
		kept("name", KindText, "", `"Public"`, "its name", whyDescribes),
		kept("status", KindText, "", `"active"`, "its status", whyDescribes),
	}}
	metadataAttributeShape = &Shape{Name: "AccessModelMetadataAttribute", Members: []Member{
		kept("key", KindText, "", `"iscPrivacy"`, "its technical name", whyDescribes),
		kept("name", KindText, "", `"Privacy"`, "its name", whyDescribes),
		kept("multiselect", KindFlag, "", `false`, "it may have several values", whyDescribes),
		kept("status", KindText, "", `"active"`, "its status", whyDescribes),
		kept("type", KindText, "", `"governance"`, "its type", whyDescribes),
		kept("objectTypes", KindTexts, "", `["entitlement"]`, "what it is for", whyDescribes),
		read("description", KindText, "", `"How private it is"`, "its description"),
		kept("values", KindObjects, "", `[]`, "its values", whyDescribes, metadataValueShape),
	}}
	metadataShape = &Shape{Name: "AccessModelMetadata", Members: []Member{
		kept("attributes", KindObjects, "", `[]`, "labels of the object", whyDescribes, metadataAttributeShape),
	}}
)

// described are the members that every object has.
func described(more ...Member) []Member {
	return append([]Member{
		read("id", KindText, "", `"2c91808568c529c60168cca6f90c1324"`,
			"the object's ID; a new one has an ID made for it where it says none"),
		read("name", KindText, "", `"HR"`, "the object's name, at most 128 characters; unique, ignoring case"),
		read("description", KindText, "", `"The people"`, "what it is for"),
		kept("created", KindTime, "", `"2024-01-23T18:08:50Z"`, "when it was created", whyTimes),
		kept("modified", KindTime, "", `"2024-01-23T18:08:50Z"`, "when it was changed", whyTimes),
	}, more...)
}

var identityAttributeSourceShape = &Shape{Name: "IdentityAttributeSource", Members: []Member{
	refused("type", KindText, "", `"rule"`, "how the value is made",
		"a profile's mapping says what the value is calculated from"),
	refused("properties", KindAny, "", `{}`, "the rule and its arguments",
		"a profile's mapping says what the value is calculated from"),
}}

// identityAttributeShape is published as IdentityAttribute.
var identityAttributeShape = &Shape{Name: "IdentityAttribute", About: "Defines an attribute of identities.",
	Members: []Member{
		read("name", KindText, "", `"costCenter"`, "its name: letters, digits, underscores and hyphens"),
		read("multi", KindFlag, "false", `false`, "it may have several values"),
		read("searchable", KindFlag, "false", `true`, "identities are found by it"),
		read("displayName", KindText, "", `"Cost center"`, "its name for people"),
		kept("standard", KindFlag, "false", `false`, "it is one of those that every tenant has",
			"the engine knows them by their names"),
		kept("type", KindText, `"string"`, `"string"`, "the type of its values",
			"values have the types that their transforms give them"),
		kept("system", KindFlag, "false", `false`, "it has no source and cannot be configured",
			"the engine knows them by their names"),
		refused("sources", KindObjects, "", `[]`, "rules that make the value for all profiles",
			"a profile's mapping says what the value is calculated from", identityAttributeSourceShape),
		kept("id", KindText, "", `""`, "its ID", "an identity attribute is found by its name"),
		read("description", KindText, "", `"Who pays"`, "what it is for"),
		kept("created", KindTime, "", `"2024-01-23T18:08:50Z"`, "when it was created", whyTimes),
		kept("modified", KindTime, "", `"2024-01-23T18:08:50Z"`, "when it was changed", whyTimes),
	}}

// transformShape is published as Transform and TransformRead. What stands under attributes depends on the operation:
// package transform knows it.
var transformShape = &Shape{Name: "Transform", About: "A saved transform, to which others refer by its name.",
	Members: []Member{
		read("id", KindText, "", `"2cd78adghjkja34jh2b1hkjhasuecd"`,
			"the object's ID; a new one has an ID made for it where it says none"),
		read("name", KindText, "", `"Lower case"`, "its name, by which a reference names it exactly"),
		read("type", KindText, "", `"lower"`, "the operation"),
		decides(read("attributes", KindAny, "", `{"input": {"type": "static", "attributes": {"value": "A"}}}`,
			"what the operation reads: see the table of operations")),
		read("requiresPeriodicRefresh", KindFlag, "false", `false`, "scheduled runs calculate it again"),
		kept("internal", KindFlag, "false", `false`, "it came with another product",
			"a transform counts whoever wrote it"),
		read("description", KindText, "", `"Writes small letters"`, "what it is for"),
		kept("created", KindTime, "", `"2024-01-23T18:08:50Z"`, "when it was created", whyTimes),
		kept("modified", KindTime, "", `"2024-01-23T18:08:50Z"`, "when it was changed", whyTimes),
	}}
