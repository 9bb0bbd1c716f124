import File from 'lucide-react/icons/file';
import FileCode from 'lucide-react/icons/file-code';
import FileImage from 'lucide-react/icons/file-image';
import FileSpreadsheet from 'lucide-react/icons/file-spreadsheet';
import FileText from 'lucide-react/icons/file-text';
import FileType from 'lucide-react/icons/file-type';
import Mail from 'lucide-react/icons/mail';
import Presentation from 'lucide-react/icons/presentation';
import classes from './FileIcon.module.css';

const kinds = [
  { test: /pdf/, icon: FileText, tone: classes.red },
  { test: /markdown/, icon: FileType, tone: classes.violet },
  { test: /sheet|excel|csv/, icon: FileSpreadsheet, tone: classes.green },
  { test: /presentation|powerpoint/, icon: Presentation, tone: classes.orange },
  { test: /word|opendocument\.text|rtf/, icon: FileText, tone: classes.blue },
  { test: /^image\//, icon: FileImage, tone: classes.teal },
  { test: /message|rfc822|outlook/, icon: Mail, tone: classes.orange },
  { test: /html|xml|json|yaml|script/, icon: FileCode, tone: classes.teal },
  { test: /^text\//, icon: FileText, tone: classes.gray },
];

/* Decoration: the kind is also said in words where it matters. */
export function FileIcon({ type, size = 20 }: { type: string; size?: number }) {
  const kind = kinds.find(({ test }) => test.test(type)) ?? { icon: File, tone: classes.gray };
  return (
    <span className={`${classes.icon} ${kind.tone}`} aria-hidden="true">
      <kind.icon size={size} strokeWidth={1.8} />
    </span>
  );
}
