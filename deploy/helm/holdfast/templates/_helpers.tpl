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

{{- /* With the namespace: staging and production may share a Kafka cluster, and not a group. */ -}}
{{- define "holdfast.group" -}}
{{- default (printf "%s-%s" .Release.Namespace (include "holdfast.fullname" .)) .Values.kafka.group -}}
{{- end -}}

{{- /* As what its metrics are scraped: what has one cluster, namespace and job is one deployment. */ -}}
{{- define "holdfast.job" -}}
{{- printf "holdfast/%s/%s" .Release.Namespace .Release.Name -}}
{{- end -}}

{{- define "holdfast.runbookUrl" -}}
{{- required "metrics.runbookUrl is needed: where docs/runbook.md is read; alerts and panels link to it" .Values.metrics.runbookUrl -}}
{{- end -}}

{{- /* 500ms, 20s, 1m: in whole seconds, rounded up. */ -}}
{{- define "holdfast.seconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $number := trimSuffix $unit . | int -}}
{{- if eq $unit "ms" -}}
{{- div (add $number 999) 1000 -}}
{{- else -}}
{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.gracePeriod" -}}
{{- if le (int .Values.terminationGracePeriodSeconds) (include "holdfast.seconds" .Values.shutdownTimeout | int) -}}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be longer than shutdownTimeout (%s): it would be killed while it delivers" (int .Values.terminationGracePeriodSeconds) .Values.shutdownTimeout) -}}
{{- end -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- end -}}

{{- /* Whether snapshots are also kept in an object store, which is reached over the network. */ -}}
{{- define "holdfast.hasStore" -}}
{{- if regexMatch "^[a-z0-9]+://" .Values.state.url | and (not (hasPrefix "file://" .Values.state.url)) -}}yes{{- end -}}
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
