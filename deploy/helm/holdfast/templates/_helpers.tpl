{{- define "holdfast.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Pods are NAME-0, NAME-1: room is left for the number. */ -}}
{{- define "holdfast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "holdfast.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "holdfast.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.selectorLabels" -}}
app.kubernetes.io/name: {{ include "holdfast.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "holdfast.labels" -}}
{{ include "holdfast.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "holdfast.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.group" -}}
{{- default (include "holdfast.fullname" .) .Values.kafka.group -}}
{{- end -}}

{{- define "holdfast.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "holdfast.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.rulesetConfigMap" -}}
{{- default (printf "%s-ruleset" (include "holdfast.fullname" .)) .Values.existingRuleset -}}
{{- end -}}

{{- /* A table of librdkafka's properties as one line of TOML; a secret is { file = "..." }. */ -}}
{{- define "holdfast.properties" -}}
{{- $all := list -}}
{{- range $name, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $all = append $all (printf "%s = { file = %s }" (quote $name) (quote $value.file)) -}}
{{- else if kindIs "string" $value -}}
{{- $all = append $all (printf "%s = %s" (quote $name) (quote $value)) -}}
{{- else if kindIs "bool" $value -}}
{{- $all = append $all (printf "%s = %t" (quote $name) $value) -}}
{{- else -}}
{{- $all = append $all (printf "%s = %d" (quote $name) (int64 $value)) -}}
{{- end -}}
{{- end -}}
{ {{ join ", " $all }} }
{{- end -}}
