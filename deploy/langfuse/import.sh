#!/bin/sh
# Makes the dashboard of this folder in a Langfuse project, by the API that Langfuse calls unstable (since July 2026).
# Needs curl, jq, LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and, unless it is Langfuse Cloud, LANGFUSE_BASE_URL.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
file=${1:-$here/dashboard.json}
base=${LANGFUSE_BASE_URL:-${LANGFUSE_HOST:-https://cloud.langfuse.com}}
base=${base%/}/api/public/unstable
: "${LANGFUSE_PUBLIC_KEY:?is not set}" "${LANGFUSE_SECRET_KEY:?is not set}"

# The keys go to curl by its standard input: other users of this machine can see command lines.
post() { # path, body
    printf 'user = "%s:%s"\n' "$LANGFUSE_PUBLIC_KEY" "$LANGFUSE_SECRET_KEY" |
        curl --config - --silent --show-error --fail-with-body --max-time 30 \
            --header 'content-type: application/json' --data "$2" "$base/$1"
}

made=$(post dashboards "$(jq '{name, description}' "$file")")
dashboard=$(printf '%s' "$made" | jq --exit-status --raw-output .id)
jq --compact-output '.widgets[]' "$file" | while read -r tile; do
    widget=$(printf '%s' "$tile" | jq '.widget | {name, description, view, dimensions, metrics, filters, chartType, chartConfig}')
    made=$(post dashboard-widgets "$widget")
    id=$(printf '%s' "$made" | jq --exit-status --raw-output .id)
    place=$(printf '%s' "$tile" | jq --arg id "$id" '{type: "widget", widgetId: $id, x, y, width: .x_size, height: .y_size}')
    post "dashboards/$dashboard/placements" "$place" >/dev/null
done
echo "made the dashboard $(jq .name "$file") ($dashboard)"
