package configuration

var entitlementShape = &Shape{Name: "EntitlementReference",
	About: "Names an entitlement: by ID, by attribute and value, or by a name that is unique on its source.",
	Members: []Member{
		read("type", KindText, `"ENTITLEMENT"`, `"ENTITLEMENT"`, "the type of the object"),
		read("id", KindText, "", `"2c91809773dee32014e13e122092014e"`, "its ID"),
		read("name", KindText, "", `"Sales"`, "its name, ignoring case"),
		read("source", KindReference, "", `{"name": "Directory"}`, "its source; an access profile has one already"),
		read("attribute", KindText, "", `"groups"`,
			"its account attribute; may be left out where the source has one such attribute"),
		read("value", KindText, "", `"cn=sales,dc=example,dc=com"`, "its value"),
	}}

// provisioningCriteriaShape is published as ProvisioningCriteriaLevel1 to 3.
var provisioningCriteriaShape = recursive(&Shape{Name: "ProvisioningCriteria",
	About: "Chooses among several accounts of an identity on a source. It has at most three levels.",
	Members: []Member{
		read("operation", KindText, "", `"EQUALS"`, "EQUALS, NOT_EQUALS, CONTAINS, HAS, AND or OR"),
		read("attribute", KindText, "", `"type"`, "the account attribute"),
		read("value", KindText, "", `"admin"`, "what it is compared with"),
		read("children", KindObjects, "", `[]`, "the parts of AND and OR"),
	}})

// recursive gives the objects under children the shape itself.
func recursive(s *Shape) *Shape {
	s.member("children").Shape = s
	return s
}

// requestable are the members of what can be requested: with those of its own, and whether it is by default.
func requestable(byDefault string, own ...Member) []Member {
	return described(append(own,
		kept("requestable", KindFlag, byDefault, `true`, "it can be requested", whyRequests),
		kept("accessRequestConfig", KindObject, "", `{"commentsRequired": true}`, "how it is requested", whyRequests,
			requestShape),
		kept("revocationRequestConfig", KindObject, "", `{"approvalSchemes": []}`, "how it is given back",
			whyRequests, requestShape),
		kept("segments", KindTexts, "", `[]`, "the segments that see it", whySegments),
		kept("segmentRefs", KindReferences, "", `[]`, "the segments that see it", whySegments),
		kept("accessModelMetadata", KindObject, "", `{"attributes": []}`, "labels", whyDescribes, metadataShape),
		kept("additionalOwners", KindReferences, "", `[]`, "further owners", whyOwnersToo),
		kept("privilegeLevel", KindText, "", `"High"`, "how powerful it is", whyDescribes),
	)...)
}

// accessProfileShape is published as AccessProfile.
var accessProfileShape = &Shape{Name: "AccessProfile", About: "A bundle of entitlements of one source.",
	Members: requestable("true",
		decides(read("enabled", KindFlag, "true", `true`, "it grants something")),
		read("owner", KindReference, "", `{"type": "IDENTITY", "id": "2c9180a46faadee4016fb4e018c20639"}`,
			"the identity that owns it"),
		read("source", KindReference, "", `{"type": "SOURCE", "name": "Directory"}`, "its source"),
		decides(read("entitlements", KindObjects, "", `[{"attribute": "groups", "value": "staff"}]`, "what it grants",
			entitlementShape)),
		decides(read("provisioningCriteria", KindObject, "", `null`, "which account gets it, where there are several",
			provisioningCriteriaShape)),
	)}

var criteriaKeyShape = &Shape{Name: "RoleCriteriaKey", Members: []Member{
	read("type", KindText, "", `"IDENTITY"`, "IDENTITY, ACCOUNT or ENTITLEMENT"),
	read("property", KindText, "", `"attribute.department"`, "the attribute, behind \"attribute.\""),
	read("sourceId", KindText, "", `"2c9180867427f3a301745aec18211519"`,
		"the source of an account attribute or an entitlement, by ID or name"),
}}

// criteriaShape is published as RoleCriteriaLevel1 to 3.
var criteriaShape = recursive(&Shape{Name: "RoleCriteria",
	About: "Says of which identities something holds. It has at most three levels.", Members: []Member{
		read("operation", KindText, "", `"EQUALS"`, "a comparison, or AND or OR"),
		read("key", KindObject, "", `{"type": "IDENTITY", "property": "attribute.department"}`, "what is compared",
			criteriaKeyShape),
		read("stringValue", KindText, "", `"Sales"`, "what it is compared with"),
		read("children", KindObjects, "", `[]`, "the parts of AND and OR"),
	}})

var memberShape = &Shape{Name: "RoleMembershipIdentity", Members: []Member{
	kept("type", KindText, `"IDENTITY"`, `"IDENTITY"`, "the type of the object", "members are identities"),
	read("id", KindText, "", `"2c9180a46faadee4016fb4e018c20639"`, "the identity's ID"),
	kept("name", KindText, "", `"Thomas Edison"`, "its name", "the ID names it"),
	kept("aliasName", KindText, "", `"t.edison"`, "its sign-in name", "the ID names it"),
}}

// membershipShape is published as RoleMembershipSelector.
var membershipShape = &Shape{Name: "RoleMembershipSelector",
	About: "Says who has a role without being assigned it.", Members: []Member{
		read("type", KindText, "", `"STANDARD"`, "STANDARD, for criteria, or IDENTITY_LIST"),
		decides(read("criteria", KindObject, "", `null`, "the criterion of STANDARD", criteriaShape)),
		decides(read("identities", KindObjects, "", `[]`, "the members of IDENTITY_LIST", memberShape)),
	}}

// roleShape is published as Role.
var roleShape = &Shape{Name: "Role", About: "Bundles access, and says who has it.",
	Members: requestable("false",
		decides(read("enabled", KindFlag, "false", `true`, "it has members by its membership")),
		read("owner", KindReference, "", `{"type": "IDENTITY", "id": "2c9180a46faadee4016fb4e018c20639"}`,
			"the identity that owns it"),
		decides(read("accessProfiles", KindReferences, "", `[{"name": "Basic access"}]`,
			"access profiles that it grants")),
		decides(read("entitlements", KindObjects, "", `[]`, "entitlements that it grants", entitlementShape)),
		decides(read("membership", KindObject, "", `null`, "who has it by itself", membershipShape)),
		refused("legacyMembershipInfo", KindAny, "", `null`, "a membership of an older kind",
			"such memberships are not understood: nobody would be a member by it"),
		refused("dimensional", KindFlag, "false", `false`, "what it grants depends on dimensions",
			"roles have no dimensions: everybody would get the same"),
		refused("dimensionRefs", KindReferences, "", `[]`, "its dimensions",
			"roles have no dimensions: what they grant would be granted to nobody"),
	)}
