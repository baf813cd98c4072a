package configuration

const (
	whyPeople   = "people carry out what the source's connector cannot: see its operations"
	whyRule     = "rules in Java are not run"
	whyRuleHost = whyRule + ": a host reads correlation from the attributes that it aggregates, or maps them with a " +
		"transform of the type rule that it registers (engine.Config.Rules)"
	whyUsage = "only new accounts get attributes by a policy: another operation sets what it is about, and no more"
	whyGroup = "the program reads entitlements from the values of accounts, and the names of groups from their schema"
)

var schemaReferenceShape = &Shape{Name: "SchemaReference", Members: []Member{
	kept("type", KindText, `"CONNECTOR_SCHEMA"`, `"CONNECTOR_SCHEMA"`, "the type of the object", "the name tells it"),
	kept("id", KindText, "", `"2c91808568c529c60168cca6f90c1313"`, "its ID",
		"schemas of a source are told apart by their names"),
	read("name", KindText, "", `"group"`, "the schema's name"),
}}

// schemaAttributeShape is published as AttributeDefinition.
var schemaAttributeShape = &Shape{Name: "AttributeDefinition", About: "One attribute of a schema.", Members: []Member{
	read("name", KindText, "", `"mail"`, "its name"),
	read("type", KindText, `"STRING"`, `"STRING"`, "STRING, LONG, INT, BOOLEAN or DATE"),
	read("isMulti", KindFlag, "false", `false`, "it may have several values"),
	read("isEntitlement", KindFlag, "false", `true`, "its values are entitlements"),
	read("schema", KindReference, "", `{"name": "group"}`, "the schema of the objects that its values name",
		schemaReferenceShape),
	read("equality", KindText, "", `"caseIgnoreMatch"`, "how values are compared, where the connector does not tell"),
	kept("isGroup", KindFlag, "false", `true`, "its values are groups", "isEntitlement and schema say all of it"),
	kept("nativeName", KindText, "", `"sAMAccountName"`, "its name on the source", "name is asked for at the source"),
	read("description", KindText, "", `"The address"`, "what it is for"),
	kept("id", KindText, "", `""`, "its ID", "attributes are told apart by their names"),
}}

// sourceSchemaShape is published as Schema, and as a reference to one.
var sourceSchemaShape = &Shape{Name: "Schema", About: "Describes the accounts, or another kind of object, of a source.",
	Members: []Member{
		read("name", KindText, "", `"account"`, "account, or the kind of group"),
		read("identityAttribute", KindText, "", `"id"`, "the attribute with the native identity"),
		read("displayAttribute", KindText, "", `"name"`, "the attribute with the name"),
		read("attributes", KindObjects, "", `[]`, "its attributes", schemaAttributeShape),
		kept("id", KindText, "", `"2c9180835d191a86015d28455b4a2329"`, "its ID",
			"schemas of a source are told apart by their names"),
		kept("type", KindText, `"CONNECTOR_SCHEMA"`, `"CONNECTOR_SCHEMA"`, "the type of the object, in a reference",
			"a reference has no attributes to read"),
		kept("nativeObjectType", KindText, "", `"User"`, "what it is called on the source", whyProduct),
		kept("hierarchyAttribute", KindText, "", `"memberOf"`, "the attribute with the groups of a group",
			"what a group is a member of is granted by the source itself"),
		kept("includePermissions", KindFlag, "false", `false`, "permissions are read too", whyPermissions),
		kept("features", KindTexts, "", `[]`, "what the connector can do", whyProduct),
		kept("configuration", KindAny, "", `{}`, "settings of the connector for the schema", whyProduct),
		kept("stableIdentityAttribute", KindText, "", `"entryUUID"`, "the attribute with the stable identity",
			"the connector finds it out by itself"),
		kept("created", KindTime, "", `"2019-12-24T22:32:58Z"`, "when it was created", whyTimes),
		kept("modified", KindTime, "", `"2019-12-31T20:22:28Z"`, "when it was changed", whyTimes),
	}}

// assignmentShape is one attribute assignment of CorrelationConfig.
var assignmentShape = &Shape{Name: "AttributeAssignment",
	About: "Compares an account attribute with an identity attribute.", Members: []Member{
		read("property", KindText, "", `"email"`, "the identity attribute; name means uid"),
		read("value", KindText, "", `"mail"`, "the account attribute"),
		read("operation", KindText, `"EQ"`, `"EQ"`, "EQ is the only one"),
		read("ignoreCase", KindFlag, "true", `true`, "letter case does not count"),
		refused("complex", KindFlag, "false", `false`, "a rule compares",
			"accounts would find other identities, or none"),
		refused("matchMode", KindText, "", `"ANYWHERE"`, "a part of the text counts",
			"accounts would find other identities, or none"),
		refused("filterString", KindText, "", `"first_name == \"John\""`, "which accounts are compared",
			"accounts that the filter leaves out would find an identity"),
	}}

// correlationShape is published as CorrelationConfig, and as a reference to one.
var correlationShape = &Shape{Name: "CorrelationConfig", About: "Says how an account of a source finds its identity.",
	Members: []Member{
		decides(read("attributeAssignments", KindObjects, "", `[{"property": "email", "value": "mail"}]`,
			"what is compared, in this order", assignmentShape)),
		kept("id", KindText, "", `"2c9180835d191a86015d28455b4a2329"`, "its ID", "it belongs to the source"),
		kept("name", KindText, "", `"HR Account Correlation"`, "its name", "it belongs to the source"),
		kept("type", KindText, `"ACCOUNT_CORRELATION_CONFIG"`, `"ACCOUNT_CORRELATION_CONFIG"`,
			"the type of the object, in a reference", "a reference has no assignments to read"),
	}}

var managerCorrelationShape = &Shape{Name: "ManagerCorrelationMapping", Members: []Member{
	read("accountAttributeName", KindText, "", `"manager"`, "the account attribute that names the manager"),
	read("identityAttributeName", KindText, "", `"identificationNumber"`,
		"the identity attribute that it is looked for in; name means uid"),
}}

var fieldLimitsShape = &Shape{Name: "FieldAttributes", Loose: true, Open: "variables of the transform's templates",
	Members: []Member{
		read("template", KindText, "", `"${firstname}.${lastname}${uniqueCounter}"`,
			"the template of a generated name"),
		read("cloudMaxSize", KindText, "", `"20"`, "the most characters of a generated name"),
		read("cloudMaxUniqueChecks", KindText, "", `"50"`, "the most names that are tried"),
		read("cloudRequired", KindText, `"false"`, `"true"`, "the field is required"),
	}}

// fieldShape is published as FieldDetailsDto.
var fieldShape = &Shape{Name: "FieldDetails", About: "Says how an attribute of a new account is made.",
	Members: []Member{
		read("name", KindText, "", `"mail"`, "the account attribute"),
		read("transform", KindTransform, "", `{"type": "identityAttribute", "attributes": {"name": "email"}}`,
			"the transform that calculates it"),
		read("attributes", KindObject, "", `{"cloudMaxSize": "20"}`, "limits and variables of the transform",
			fieldLimitsShape),
		read("isRequired", KindFlag, "false", `false`, "without a value no account is created"),
		read("type", KindText, `"string"`, `"secret"`, "string, int, long, date, boolean or secret"),
		read("isMultiValued", KindFlag, "false", `false`, "it may have several values"),
	}}

// policyShape is published as ProvisioningPolicyDto.
var policyShape = &Shape{Name: "ProvisioningPolicy", About: "Says how the attributes of a new account are made.",
	Members: []Member{
		read("usageType", KindText, `"CREATE"`, `"CREATE"`,
			"the operation; fields of another one than CREATE have no effect and are noted"),
		read("fields", KindObjects, "", `[]`, "the attributes", fieldShape),
		read("name", KindText, "", `"Account"`, "its name"),
		read("description", KindText, "", `"New accounts"`, "what it is for"),
	}}

var syncAttributeShape = &Shape{Name: "AttrSyncSourceAttributeConfig", Members: []Member{
	read("name", KindText, "", `"email"`, "the identity attribute"),
	read("target", KindText, "", `"mail"`, "the account attribute"),
	read("enabled", KindFlag, "false", `true`, "they are kept equal"),
	read("displayName", KindText, "", `"Email"`, "its name for people"),
}}

// syncShape is published as AttrSyncSourceConfig.
var syncShape = &Shape{Name: "AttrSyncSourceConfig",
	About: "Says which account attributes are kept equal to the identity's.", Members: []Member{
		kept("source", KindReference, "", `{"name": "Directory"}`, "the source", "it is the source that it stands in"),
		decides(read("attributes", KindObjects, "", `[]`, "the attributes", syncAttributeShape)),
	}}

var scheduleShape = &Shape{Name: "Schedule", Members: []Member{
	read("type", KindText, "", `"ACCOUNT_AGGREGATION"`, "ACCOUNT_AGGREGATION; another type is noted"),
	read("cronExpression", KindText, "", `"0 0 5 * * ?"`, "when, in the tenant's time zone"),
}}

// sourceShape is published as Source, and in exports with some members under other names.
var sourceShape = &Shape{Name: "Source", About: "A system with accounts.",
	Members: described(
		decides(read("connector", KindText, "", `"delimited-folder"`,
			"its connector: delimited-folder, ldap, postgres, or one of the host's; people maintain a source of "+
				"another one")),
		decides(read("connectorAttributes", KindAny, "", `{"delimiter": ","}`,
			"settings of the connector: see the tables of settings")),
		read("owner", KindReference, "", `{"type": "IDENTITY", "id": "2c91808568c529c60168cca6f90c1313"}`,
			"the identity that owns it"),
		decides(read("schemas", KindObjects, "", `[]`, "what its objects look like", sourceSchemaShape)),
		decides(read("deleteThreshold", KindWhole, `10`, `10`,
			"how many percent of the accounts an aggregation may remove")),
		decides(read("accountCorrelationConfig", KindObject, "",
			`{"attributeAssignments": [{"property": "email", "value": "mail"}]}`,
			"how an account finds its identity", correlationShape)),
		decides(read("managerCorrelationMapping", KindObject, "",
			`{"accountAttributeName": "manager", "identityAttributeName": "identificationNumber"}`,
			"how an identity finds its manager", managerCorrelationShape)),
		decides(read("provisioningPolicies", KindObjects, "", `[]`, "how accounts are made", policyShape)),
		decides(read("attributeSyncConfig", KindObject, "",
			`{"attributes": [{"name": "email", "target": "mail", "enabled": true}]}`,
			"which attributes are kept equal", syncShape)),
		read("schedules", KindObjects, "", `[{"type": "ACCOUNT_AGGREGATION", "cronExpression": "0 0 5 * * ?"}]`,
			"when it is aggregated by its connector", scheduleShape),
		read("features", KindTexts, "", `["ENABLE", "UNLOCK"]`,
			"what can be asked of its accounts by hand: of the published features, ENABLE and UNLOCK count"),
		read("connectorScriptName", KindText, "", `"delimited-file-angularsc"`, "connector, in exports"),
		read("correlationConfigDetails", KindObject, "", `null`, "accountCorrelationConfig, in exports",
			correlationShape),
		refused("accountCorrelationRule", KindReference, "", `null`, "a rule that finds the identity", whyRuleHost),
		refused("managerCorrelationRule", KindReference, "", `null`, "a rule that finds the manager", whyRuleHost),
		refused("beforeProvisioningRule", KindReference, "", `null`, "a rule that changes operations",
			whyRule+": a host changes operations in the connector that it registers (connector.Connector.Apply)"),
		kept("authoritative", KindFlag, "false", `false`, "an identity profile names it",
			"the engine finds out by the profiles"),
		kept("type", KindText, "", `"OpenLDAP - Direct"`, "what kind of system it is", whyProduct),
		kept("connectorClass", KindText, "", `"sailpoint.connector.LDAPConnector"`,
			"the connector's Java class", whyProduct),
		kept("connectorId", KindText, "", `"active-directory"`, "the connector's ID", whyProduct),
		kept("connectorName", KindText, "", `"Active Directory"`, "the connector's name for people", whyProduct),
		kept("connectorImplementationId", KindText, "", `"delimited-file"`, "the connector's ID", whyProduct),
		kept("connectionType", KindText, "", `"file"`, "direct or file", whyProduct),
		kept("crossTenantConnectorAttributes", KindAny, "", `{}`, "settings that tenants share", whyProduct),
		kept("cluster", KindReference, "", `null`, "the machines that reach the source",
			"the process that runs the engine reaches it"),
		kept("passwordPolicies", KindReferences, "", `[]`, "rules for passwords",
			"the source itself refuses a password that its policy forbids"),
		kept("managementWorkgroup", KindReference, "", `null`, "the group that may manage it", whyOwnersToo),
		kept("healthy", KindFlag, "false", `true`, "it could be reached", whyHealth),
		kept("status", KindText, "", `"SOURCE_STATE_HEALTHY"`, "whether it could be reached", whyHealth),
		kept("since", KindTime, "", `"2021-09-28T15:48:29Z"`, "when it was tried", whyHealth),
		kept("provisionAsCsv", KindFlag, "false", `true`, "operations are tasks for people", whyPeople),
		kept("credentialProviderEnabled", KindFlag, "false", `false`, "secrets come from a vault",
			"the host's Secret resolves the references of secrets"),
		kept("category", KindText, "", `"CredentialProvider"`, "what kind of source it is", whyDescribes),
		kept("cloudExternalId", KindText, "", `"23012"`, "its ID in another product", whyDescribes),
	)}

// commonSettings are settings that sources of every connector may have: what the engine reads of them, and what exports
// of every connector have.
func commonSettings() []Member {
	return []Member{
		decides(read("accountStatus", KindObject,
			`{"attribute": "IIQDisabled", "enabled": "false", "disabled": "true"}`,
			`{"attribute": "status", "enabled": "A", "disabled": "D"}`,
			"the account attribute that says whether an account can be used, and how", accountStatusShape)),
		kept("cloudDisplayName", KindText, "", `"HR"`, "its name for people", whyDescribes),
		kept("cloudExternalId", KindText, "", `"23012"`, "its ID in another product", whyDescribes),
		kept("cloudOriginalApplicationType", KindText, "", `"Generic"`, "what kind of system it is", whyProduct),
		kept("cloudIdentityProfileName", KindText, "", `"Employees"`, "the profile that names it",
			"the engine finds out by the profiles"),
		kept("cloudAuthoritativeSourcePrecedence", KindWhole, "", `80`, "the profile's priority",
			"the profile says its priority"),
		kept("cloudAuthEnabled", KindFlag, "false", `true`, "people sign in by it", "people do not sign in here"),
		kept("authType", KindText, "", `"basic"`, "how another product connects", whyProduct),
		kept("connectionType", KindText, "", `"file"`, "direct or file", whyProduct),
		kept("connectorName", KindText, "", `"Generic"`, "the connector's name for people", whyProduct),
		kept("deleteThresholdPercentage", KindAny, "", `10`, "the deletion limit",
			"deleteThreshold of the source counts"),
		kept("deltaAggregation", KindAny, "", `null`, "where a reading of changes begins",
			"the engine keeps the cursor by itself"),
		kept("encrypted", KindText, "", `"password"`, "which settings are secrets", "the tables of settings say it"),
		kept("healthy", KindFlag, "false", `true`, "it could be reached", whyHealth),
		kept("idnProxyType", KindText, "", `"sp-connect"`, "how another product connects", whyProduct),
		kept("lastAggregationDate_account", KindAny, "", `1580000000000`, "when it was aggregated", whyTimes),
		kept("oauth_body_attrs_to_exclude", KindText, "", `"client_id"`, "what another product leaves out", whyProduct),
		kept("since", KindTime, "", `"2021-09-28T15:48:29Z"`, "when it was tried", whyHealth),
		kept("slpt-source-diagnostics", KindText, "", `"{}"`, "what another product found out", whyHealth),
		kept("status", KindText, "", `"SOURCE_STATE_HEALTHY"`, "whether it could be reached", whyHealth),
		kept("templateApplication", KindText, "", `"DelimitedFile Template"`, "what it was made from", whyProduct),
	}
}

var accountStatusShape = &Shape{Name: "AccountStatus", Members: []Member{
	read("attribute", KindText, `"IIQDisabled"`, `"status"`, "the account attribute"),
	read("enabled", KindText, `"false"`, `"A"`, "its value where the account can be used"),
	read("disabled", KindText, `"true"`, `"D"`, "its value where it cannot"),
}}

// delimitedSettings are what is read of text files, with those of the vendor's connector. files says whether the files
// stand in a folder, and are not handed to each aggregation.
func delimitedSettings(files bool) []Member {
	file := func(name string, kind Kind, standard, example, about string) Member {
		if files {
			return read(name, kind, standard, example, about)
		}
		return kept(name, kind, "", example, about, "the file is handed to each aggregation")
	}
	members := []Member{
		read("delimiter", KindText, `","`, `";"`, `what separates columns: one character, or "tab"`),
		read("hasHeader", KindFlag, "true", `false`, "the first row has the names of the columns"),
		read("columnNames", KindTexts, "", `["id", "name"]`,
			"the names of the columns without a header; the attributes of the schema by default"),
		read("multiValueSeparator", KindText, `";"`, `"|"`, "what separates the values of a multi-valued attribute"),
		read("stableIdentityColumn", KindText, "", `"guid"`, "the column with what identifies an account for good"),
		read("mergeRows", KindFlag, "false", `true`, "several rows may be one account"),
		read("mergeColumns", KindTexts, "", `["groups"]`, "the columns whose values are merged"),
		read("indexColumn", KindText, "", `"id"`, "the column whose value the rows of one account share"),
		read("indexColumns", KindTexts, "", `["id"]`, "the columns whose values the rows of one account share"),
		read("commentCharacter", KindText, "", `"#"`, "rows that begin with it are left out"),
		read("numLinesToSkip", KindWhole, "0", `1`, "how many rows are left out behind the header"),
		read("filterEmptyRecords", KindFlag, "false", `true`, "rows without any value are left out"),
		refused("filterString", KindText, "", `"department == \"Marketing\""`, "which rows are left out",
			"the rows would become accounts"),
		outside(namesFolder, file("folder", KindText, "", `"./hr"`, "the folder of the files")),
		file("file", KindText, `"accounts.csv"`, `"people.csv"`, "the file of the accounts"),
		file("groups", KindMap, "", `{"group": "groups.csv"}`, "the file of each other schema, by its name"),
		kept("isCaseInsensitiveMerge", KindFlag, "false", `false`, "letter case of indexColumns does not count",
			"native identities of text files are compared as they are written"),
		kept("isSortedByIndexColumn", KindFlag, "false", `false`, "the rows of an account follow each other",
			"rows of an account are found wherever they stand"),
		kept("stopIfLineHasWrongColumnLength", KindFlag, "false", `false`, "a row of another length ends the reading",
			"such a row is reported and its account kept"),
		kept("host", KindText, "", `"local"`, "the machine with the file", "the file is read where the engine runs"),
		kept("port", KindAny, "", `22`, "its port", "the file is read where the engine runs"),
		kept("filetransport", KindText, `"local"`, `"sftp"`, "how the file is fetched",
			"the file is read where the engine runs"),
		kept("fileEncoding", KindText, `"UTF-8"`, `"UTF-8"`, "the characters of the file",
			"a text is read as UTF-8, and refused where it is not"),
		kept("partitionMode", KindText, "", `"disabled"`, "how the reading is divided", whyProduct),
		refused("parseType", KindText, `"delimited"`, `"delimited"`, "how rows are read",
			"a text is read by its delimiter alone"),
		refused("regularExpression", KindText, "", `""`, "how rows are read", "a text is read by its delimiter alone"),
		refused("buildMapRule", KindAny, "", `null`, "a rule that makes an account of a row",
			whyRule+": a host hands the text as the rule would make it to Engine.Aggregate"),
		refused("mergeMapsRule", KindAny, "", `null`, "a rule that merges rows",
			whyRule+": mergeRows, mergeColumns and indexColumns merge them"),
		refused("mapToResourceObjectRule", KindAny, "", `null`, "a rule that makes an account",
			whyRule+": a host hands the text as the rule would make it to Engine.Aggregate"),
		refused("preIterateRule", KindAny, "", `null`, "a rule that runs before a reading",
			whyRule+": a host does it before it calls Engine.Aggregate"),
		refused("postIterateRule", KindAny, "", `null`, "a rule that runs after a reading",
			whyRule+": a host does it after it called Engine.Aggregate"),
		refused("transformRule", KindAny, "", `null`, "a rule that changes the text",
			whyRule+": a host hands the changed text to Engine.Aggregate"),
	}
	return append(members, commonSettings()...)
}

// The settings of the connectors that the program has.
var (
	delimitedShape = &Shape{Name: "delimited text", Loose: true, Prefixed: true, Open: "settings of another product",
		About: "A source without a connector here, whose text is handed to each aggregation: delimited-file, " +
			"delimited-file-angularsc, or none.",
		Members: delimitedSettings(false)}
	folderShape = &Shape{Name: "delimited-folder", Loose: true, Prefixed: true, Open: "settings of another product",
		About: "Text files in a folder, read and written.", Members: delimitedSettings(true)}
	ldapShape = &Shape{Name: "ldap", Loose: true, About: "An LDAP directory.", Members: append([]Member{
		outside(namesHost, read("url", KindText, "", `"ldaps://ldap.example.com"`,
			"ldap:// or ldaps://, with the host")),
		read("startTLS", KindFlag, "false", `true`, "encrypt an ldap:// connection"),
		outside(namesFile, read("caFile", KindText, "", `"/etc/ssl/ldap.pem"`,
			"the certificates that are trusted, PEM")),
		read("bindDN", KindText, "", `"cn=muster,dc=example,dc=com"`, "who signs in"),
		secretly(read("password", KindText, "", `"env:LDAP_PASSWORD"`, "a reference to the password")),
		read("userBase", KindText, "", `"ou=people,dc=example,dc=com"`, "where accounts are"),
		read("userFilter", KindText, `"(objectClass=inetOrgPerson)"`, `"(objectClass=person)"`,
			"which entries are accounts"),
		read("userClasses", KindTexts, `["inetOrgPerson"]`, `["inetOrgPerson"]`, "the classes of new accounts"),
		read("rdn", KindText, `"uid"`, `"cn"`, "the attribute that names a new account"),
		read("ignoreReferrals", KindFlag, "false", `true`, "read what this server has where it refers to others for "+
			"parts of the tree; otherwise that is an error"),
		read("groupBase", KindText, "", `"ou=groups,dc=example,dc=com"`, "where groups are; none are read without it"),
		read("groupFilter", KindText, `"(objectClass=groupOfNames)"`, `"(objectClass=group)"`,
			"which entries are groups"),
		read("member", KindText, `"member"`, `"uniqueMember"`, "the attribute of groups with their members"),
		read("memberOf", KindText, `"memberOf"`, `"memberOf"`, "the attribute of accounts with their groups"),
		read("serverMemberOf", KindFlag, "false", `true`, "the directory itself maintains memberOf"),
		read("emptyMember", KindText, "", `"cn=nobody,dc=example,dc=com"`, "the last member of an empty group"),
		read("pageSize", KindWhole, `500`, `1000`, "entries of one answer"),
	}, commonSettings()...)}
	postgresShape = &Shape{Name: "postgres", Loose: true,
		About: "Tables of a PostgreSQL database.", Members: append([]Member{
			secretly(read("connection", KindText, "", `"env:HR_DATABASE_URL"`, "a reference to the URL")),
			read("table", KindText, "", `"people"`, "the table of the accounts"),
			decides(read("memberships", KindObjects, "", `[]`, "tables with values of multi-valued attributes",
				postgresMembershipShape)),
			read("groups", KindMap, "", `{"group": "groups"}`, "the table of each other schema, by its name"),
			read("modified", KindText, "", `"changed_at"`, "the column with the time of the last change"),
			read("stableIdentityColumn", KindText, "", `"guid"`, "the column with what identifies an account for good"),
		}, commonSettings()...)}
	postgresMembershipShape = &Shape{Name: "Membership", Members: []Member{
		read("attribute", KindText, "", `"groups"`, "the multi-valued attribute"),
		read("table", KindText, "", `"members"`, "the table"),
		read("account", KindText, "", `"person"`, "its column with the native identity"),
		read("value", KindText, "", `"group"`, "its column with the value"),
	}}
	// unknownShape is of connectors that are not the program's.
	unknownShape = &Shape{Name: "any other connector", Loose: true, Open: "settings of the connector",
		About:   "A connector of the host reads them; where there is none, people maintain the source.",
		Members: commonSettings()}
)

// SettingShapes returns the shapes of connectorAttributes, by the connectors that read them.
func SettingShapes() []*Shape {
	return []*Shape{delimitedShape, folderShape, ldapShape, postgresShape, unknownShape}
}

// settingsShape returns the shape of the connectorAttributes of a connector.
func settingsShape(connector string) *Shape {
	switch connector {
	case "", "delimited-file", "delimited-file-angularsc", "delimited-file-csv", "DelimitedFile":
		return delimitedShape
	case "delimited-folder":
		return folderShape
	case "ldap":
		return ldapShape
	case "postgres":
		return postgresShape
	}
	return unknownShape
}
