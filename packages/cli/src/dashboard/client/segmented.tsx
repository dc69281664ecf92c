/** A row of buttons of which one is selected. */
export function Segmented<Value extends string>(props: {
  label: string
  value: Value
  options: readonly { value: Value; text: string; count?: number }[]
  onChange: (value: Value) => void
}) {
  const { label, value, options, onChange } = props
  return (
    <fieldset class="segmented">
      <legend class="visually-hidden">{label}</legend>
      {options.map((option) => (
        <button
          type="button"
          key={option.value}
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.text}
          {option.count === undefined ? null : <span class="count">{option.count}</span>}
        </button>
      ))}
    </fieldset>
  )
}
