package configuration

// mappingShape is published as IdentityAttributeTransform.
var mappingShape = &Shape{Name: "IdentityAttributeTransform",
	About: "Says what an identity attribute is calculated from.", Members: []Member{
		read("identityAttributeName", KindText, "", `"email"`, "the identity attribute"),
		read("transformDefinition", KindTransform, "",
			`{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "mail"}}`,
			"the transform that calculates it"),
	}}

// attributeConfigShape is published as IdentityAttributeConfig.
var attributeConfigShape = &Shape{Name: "IdentityAttributeConfig", Members: []Member{
	decides(read("enabled", KindFlag, "true", `true`, "attributes are calculated")),
	decides(read("attributeTransforms", KindObjects, "", `[]`, "what each attribute is calculated from", mappingShape)),
}}

var exceptionReportShape = &Shape{Name: "IdentityExceptionReportReference", Members: []Member{
	kept("taskResultId", KindText, "", `"2b838de9db9babcfe646d4f274ad4238"`, "the report's task", whyCounted),
	kept("reportName", KindText, "", `"My annual report"`, "the report's name", whyCounted),
}}

var invitationShape = &Shape{Name: "InvitationOptions", Members: []Member{
	read("address", KindText, `"WORK"`, `"PERSONAL"`, "the address of invitations: WORK or PERSONAL"),
}}

// identityProfileShape is published as IdentityProfile.
var identityProfileShape = &Shape{Name: "IdentityProfile",
	About: "Makes identities of the accounts of a source, and says how their attributes are calculated.",
	Members: described(
		read("owner", KindReference, "", `{"type": "IDENTITY", "id": "2c9180835d191a86015d28455b4b232a"}`,
			"the identity that owns it"),
		read("priority", KindWhole, "", `10`, "whose accounts count first: a smaller number; a new one comes last"),
		read("authoritativeSource", KindReference, "", `{"type": "SOURCE", "name": "HR"}`,
			"the source whose accounts are identities"),
		decides(read("identityAttributeConfig", KindObject, "", `{"enabled": true, "attributeTransforms": []}`,
			"how attributes are calculated", attributeConfigShape)),
		read("lifecycleStates", KindObjects, "", `[]`, "the profile's lifecycle states, in their published shape",
			lifecycleStateShape),
		read("invitationOptions", KindObject, "", `{"address": "WORK"}`, "how invitations are sent", invitationShape),
		kept("identityRefreshRequired", KindFlag, "false", `false`, "identities must be processed",
			"the engine knows who must be processed"),
		kept("identityCount", KindWhole, "", `8`, "how many identities it has", whyCounted),
		kept("identityExceptionReportReference", KindObject, "", `null`, "a report about its identities", whyCounted,
			exceptionReportShape),
		kept("hasTimeBasedAttr", KindFlag, "false", `false`, "a value depends on the time",
			"the engine finds out by the transforms"),
	)}

var notificationShape = &Shape{Name: "EmailNotificationOption", Members: []Member{
	kept("notifyManagers", KindFlag, "false", `true`, "tell the manager", whyMail),
	kept("notifyAllAdmins", KindFlag, "false", `true`, "tell all administrators", whyMail),
	kept("notifySpecificUsers", KindFlag, "false", `true`, "tell those of emailAddressList", whyMail),
	kept("emailAddressList", KindTexts, "", `["ops@example.com"]`, "whom else to tell", whyMail),
}}

const whyMail = "no message is sent about lifecycle states: a host reads the events of the history"

// accountActionShape is published as AccountAction.
var accountActionShape = &Shape{Name: "AccountAction",
	About: "Says what becomes of accounts when an identity enters the state.", Members: []Member{
		read("action", KindText, "", `"DISABLE"`, "ENABLE, DISABLE or DELETE"),
		read("sourceIds", KindTexts, "", `["Directory"]`, "the sources, by ID or name"),
		read("allSources", KindFlag, "false", `true`, "all sources but those of excludeSourceIds"),
		read("excludeSourceIds", KindTexts, "", `["HR"]`, "sources that allSources leaves out"),
	}}

var accessActionShape = &Shape{Name: "AccessActionConfiguration", Members: []Member{
	decides(read("removeAllAccessEnabled", KindFlag, "false", `true`, "all access is taken away in the state")),
}}

// lifecycleStateShape is published as LifecycleState.
var lifecycleStateShape = &Shape{Name: "LifecycleState", About: "A stage of the identities of a profile.",
	Members: described(
		read("technicalName", KindText, "", `"leaver"`, "the value of cloudLifecycleState that means the state"),
		decides(read("enabled", KindFlag, "true", `true`,
			"identities can be in it; an export that omits it means false")),
		decides(read("identityState", KindText, "", `"INACTIVE_LONG_TERM"`,
			"the identity state: ACTIVE, INACTIVE_SHORT_TERM or INACTIVE_LONG_TERM")),
		read("identityProfile", KindReference, "", `{"name": "Employees"}`,
			"its profile, where it stands outside of it"),
		decides(read("accessProfileIds", KindTexts, "", `["Basic access"]`,
			"access profiles that it grants, by ID or name")),
		decides(read("accountActions", KindObjects, "", `[]`, "what becomes of accounts", accountActionShape)),
		decides(read("accessActionConfiguration", KindObject, "", `{"removeAllAccessEnabled": false}`,
			"what becomes of access", accessActionShape)),
		kept("identityCount", KindWhole, "", `42`, "how many identities are in it", whyCounted),
		kept("emailNotificationOption", KindObject, "", `{"notifyManagers": false}`, "who is told of it", whyMail,
			notificationShape),
		kept("priority", KindWhole, "", `10`, "its place in a list",
			"an attribute says the state: no state comes before another"),
	)}
